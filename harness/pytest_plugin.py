"""`pytest --benchmark`: every scenario on every workload becomes a test item, judged first and then timed.

    pytest --benchmark                                       all scenarios, and no other tests
    pytest --benchmark tests/                                all scenarios, and the tests in tests/
    pytest --benchmark --scenario='epoch_averaging/*@digits/ragged' --scenario=my_scenario.py
    pytest --benchmark --device=cpu --benchmark-json=timings.json

A project lists scenario files of its own in its pytest settings, as globs relative to the root directory; they
run beside the built-in ones::

    epoch_harness_scenarios = ["benchmarks/*_scenario.py"]

Times are taken by pytest-benchmark, whose options all apply; with `-p no:benchmark`, `--benchmark` is a usage
error. Where a project has a `--benchmark` of its own, that flag runs the scenarios too, and leaves the choice of
other tests alone. Where it has a `--device` of its own, that option's value is used.

This module is imported by every pytest run of every project beside which the harness is installed, so it imports
next to nothing.
"""

import sys
import warnings
from collections.abc import Iterator

import pytest

NAMES = {"epoch_harness", __name__}  # of the entry point, and of the module
DEVICES = ("auto", "cpu", "cuda")
OWNS_FLAG = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    # The same module may come a second time (`-p harness.pytest_plugin`, `pytest_plugins`), which pluggy refuses.
    for other in NAMES - {pluginmanager.get_name(sys.modules[__name__])}:
        pluginmanager.set_blocked(other)
    parser.addini(
        "epoch_harness_scenarios",
        type="args",
        default=[],
        help="scenario files that --benchmark runs beside the built-in ones (globs, relative to the root directory)",
    )
    _group(parser).addoption(
        "--scenario",
        action="append",
        default=[],
        dest="epoch_harness_filters",
        metavar="FILTER",
        help="with --benchmark: run only these scenarios; a glob over ids, which may name a workload after an @, "
        "or the path of a scenario file (may be repeated)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> Iterator[None]:
    """Conftest files come first: the names are common, and a project that has one itself must go on working."""
    yield
    group = _group(parser)
    owns_flag = not _is_taken("--benchmark", parser)
    early_config.stash[OWNS_FLAG] = owns_flag
    if owns_flag:
        group.addoption(
            "--benchmark",
            action="store_true",
            dest="epoch_harness_benchmark",
            help="run scenarios: judge each against ground truth, then time it; other tests only if paths are named",
        )
    if not _is_taken("--device", parser):
        group.addoption(
            "--device",
            choices=DEVICES,
            default="auto",
            dest="epoch_harness_device",
            help="with --benchmark: where scenarios run; auto is cuda where there is one",
        )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--benchmark"):
        if config.getoption("--scenario"):
            raise pytest.UsageError("--scenario chooses among what --benchmark runs; add --benchmark")
        return
    device = str(config.getoption("--device") or "auto")
    if device not in DEVICES:
        raise pytest.UsageError(
            f"this project has a --device option of its own, and scenarios cannot run on {device!r}: "
            f"with --benchmark it must be one of {', '.join(DEVICES)}"
        )
    # Where warnings are errors, pytest-benchmark crashes on this one of its own after every trial was skipped.
    warnings.filterwarnings("default", message="Not saving anything, no benchmarks have been run")
    from harness import pytest_scenarios

    config.stash[pytest_scenarios.DEVICE] = device
    config.stash[pytest_scenarios.ALONE] = config.stash[OWNS_FLAG]
    config.pluginmanager.register(pytest_scenarios, "epoch_harness_scenarios")


def _group(parser: pytest.Parser) -> pytest.OptionGroup:
    return parser.getgroup("epoch-harness", "epoch-harness")


def _is_taken(option: str, parser: pytest.Parser) -> bool:
    try:
        _, unknown = parser.parse_known_and_unknown_args([option])
    except pytest.UsageError:  # it is known, and lacks its value
        return True
    return option not in unknown
