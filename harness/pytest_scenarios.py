"""Scenarios as pytest items: which are selected, and what becomes of a verdict. Registered by `--benchmark` alone."""

import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from harness import catalog as catalogs
from harness.catalog import Catalog
from harness.engine import plan
from harness.environment import NOT_ASKED
from harness.errors import HarnessError, UsageError
from harness.faults.selection import NO_FAULT

if TYPE_CHECKING:
    from harness.pytest_trials import Judged, Trials

ROUNDS = 3


@dataclass(frozen=True)
class Selection:
    """What was asked for, as files and globs that mean the same wherever the process stands."""

    catalog: Catalog
    filters: tuple[str, ...]
    device: str

    @property
    def frameworks(self) -> list[str]:
        return self.catalog.frameworks(self.filters)

    def names(self) -> list[tuple[str, str]]:
        """Scenario and workload of every trial, in order.

        Raises:
            HarnessError: there is none.
        """
        # Whether a trial can run is asked when it is its turn. Until then none can, and the plan names them all.
        nowhere = dict.fromkeys(self.frameworks, NOT_ASKED)
        planned = plan.make(self.catalog, self.filters, "cpu", 0, nowhere, NO_FAULT)
        return [(item.scenario, item.workload) for item in planned.unavailable]


DEVICE = pytest.StashKey[str]()
ALONE = pytest.StashKey[bool]()
SELECTION = pytest.StashKey[Selection]()
NAMES = pytest.StashKey[list[tuple[str, str]]]()
TRIALS = pytest.StashKey["Trials"]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Choose the scenarios; nothing else is collected if no paths were named (and the flag is ours alone)."""
    config = session.config
    if not config.pluginmanager.hasplugin("pytest-benchmark"):
        raise pytest.UsageError(
            "--benchmark takes times with pytest-benchmark, which is switched off; allow that plugin"
        )
    try:
        with warnings_aside():
            selection = _select(config)
            config.stash[SELECTION], config.stash[NAMES] = selection, selection.names()
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    if config.stash[ALONE] and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, pytest.Session) and report.passed:
        report.result.append(ScenarioCollector.from_parent(collector, name="scenarios", nodeid="scenarios"))
    return report


@pytest.fixture(scope="session")
def epoch_harness_trials(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Trials"]:
    """Starts with the first item that runs; ends with the session, interrupted or not."""
    with warnings_aside():
        from harness import pytest_trials
    with pytest_trials.started(request.config.stash[SELECTION], tmp_path_factory.mktemp("epoch-harness")) as trials:
        items = [item for item in request.session.items if isinstance(item, TrialItem)]
        asked = sum(not trials.unavailable(item.scenario, item.workload) for item in items)
        trials.asked = None if hasattr(request.config, "workerinput") else asked
        request.config.stash[TRIALS] = trials
        yield trials


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if trials := config.stash.get(TRIALS, None):
        from harness import pytest_summary

        pytest_summary.write(terminalreporter, trials.ended, trials.report)


class ScenarioCollector(pytest.Collector):
    """The node above all items; their ids begin with its name."""

    def collect(self) -> Iterator["TrialItem"]:
        scenarios = self.config.stash[SELECTION].catalog.scenarios
        for scenario, workload in self.config.stash[NAMES]:
            item = TrialItem.from_parent(self, name=f"{scenario}@{workload}", callobj=judge_and_time)
            item.scenario, item.workload = scenario, workload
            item.declared_at = scenarios[scenario].declared_at if scenario in scenarios else ""
            item.add_marker(pytest.mark.benchmark(timer=item.seconds_in_trials, group=workload))
            yield item


class TrialItem(pytest.Function):
    """A scenario on a workload."""

    scenario: str
    workload: str
    declared_at: str
    seconds: float = 0.0

    def seconds_in_trials(self) -> float:
        """A clock that runs only inside trials: starting and judging them is not what is timed."""
        return self.seconds

    def reportinfo(self) -> tuple[Path | str, int | None, str]:
        path, _, line = self.declared_at.rpartition(":")
        return (Path(path), int(line) - 1, self.name) if path else (self.path, None, self.name)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **options: Any) -> Any:
        if isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **options)


def judge_and_time(request: pytest.FixtureRequest, benchmark: Any, epoch_harness_trials: "Trials") -> None:
    """The body of every item. Each round is a trial that is judged, too; one unexpected finding, and none is timed."""
    item, trials = request.node, epoch_harness_trials
    reason = trials.unavailable(item.scenario, item.workload)
    if reason:
        pytest.skip(reason)
    rounds: list[Judged] = []

    def one_round() -> None:
        with warnings_aside():
            rounds.append(trials.run(item.scenario, item.workload))
        if rounds[-1].unexpected or not rounds[-1].completed:
            raise NotTimed
        item.seconds += rounds[-1].seconds

    benchmark.has_error = True  # until all rounds are in: pytest-benchmark leaves out what was cut short
    with suppress(NotTimed):
        benchmark.pedantic(one_round, rounds=ROUNDS)
        benchmark.has_error = False
        rate = rounds[0].batches / median(trial.seconds for trial in rounds)
        benchmark.extra_info.update(rounds[0].facts, batches_per_second=rate)
    last = rounds[-1]
    trials.keep(rounds)
    # Not through `record_property`, which warns about the schema that pytest writes junit.xml in by default.
    item.user_properties.extend(last.properties)
    if last.unexpected:
        pytest.fail(last.explanation, pytrace=False)


class NotTimed(Exception):  # noqa: N818 (it is no error)
    """Ends the timing of an item: a trial that ended early, as its scenario may expect, has a verdict but no
    throughput."""


@contextmanager
def warnings_aside() -> Iterator[None]:
    """What a framework warns of when it is imported, or NumPy when it sees NaN, is no failure of the project's
    tests, however strict their filter; raised inside a checker it would even change a verdict."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _select(config: pytest.Config) -> Selection:
    catalog = catalogs.find(_own_files(config))
    filters = tuple(
        str(config.invocation_params.dir / text) if catalogs.is_file(text) else text
        for text in config.getoption("--scenario")
    )
    return Selection(catalog, filters, config.stash[DEVICE])


def _own_files(config: pytest.Config) -> list[Path]:
    """The files that the ini option names."""
    files: dict[Path, None] = {}
    for pattern in config.getini("epoch_harness_scenarios"):
        found = sorted(glob(pattern, root_dir=config.rootpath, recursive=True))
        if not found:
            raise UsageError(f"epoch_harness_scenarios: no file matches {pattern!r} in {config.rootpath}")
        files.update(dict.fromkeys(config.rootpath / name for name in found))
    return list(files)
