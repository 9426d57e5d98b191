"""Every command in the documentation does what it is there for, where the files lie that its page names.

What would take hours is narrowed, and not the command: of the trials that it asks for, the first two are run, by warm
engines that all commands share; one way is measured, once; and both sides of an upgrade are the environment of the
tests. `test_followed.py` runs those whose exit code the page states, with nothing narrowed.
"""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest
from markdown_pages import PAGES, ROOT, blocks, commands, told

from harness import cli
from harness import run as runs
from harness.bench import overlap, strategies
from harness.bench.overlap_results import PERSISTENT
from harness.engine import local
from harness.engine.local import Engines
from harness.run_directory import RunDirectory
from harness.upgrade import environments, on_cluster, sides, upgrade

TRIALS = 2
WAYS = (PERSISTENT, "strategies/device_sums/recommended")  # one of these is measured where it is asked for
PLACEHOLDERS = {"COMMAND": "run", "FROM": "2.5.6", "TO": "2.6.6", "$BEFORE": "2.5.6", "$AFTER": "2.6.6"}
ADDRESS = "10.0.0.1:6379"
RUNS = ("reports/runs/A", "reports/runs/B", "reports/runs/latest", "RUN", "RUN_A", "RUN_B")
BASELINE = "reports/baselines/2.5.6.jsonl"
EXTRAS = {"ray": "ray", "keras": "keras", "parquet": "pyarrow"}  # modules, by what a command asks for
SAYS = {
    "run": "^report: ", "list": "epoch_averaging/", "bench": "over the bare loop|same figures", "report": "^report: ",
    "compare": "[1-9] trials compared", "upgrade": "[1-9] trials compared", "completion": "_EPOCH_HARNESS_COMPLETE",
    "--help": "^Usage: ",
}  # fmt: skip
WRITTEN = re.compile(r"^(?:report|table): +(.+)$", re.MULTILINE)

# Ray warns of what it will do in later versions, and leaves sockets to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


@dataclass(frozen=True)
class Case:
    """A command, and the page that it is on."""

    page: Path
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        return "--help" if "--help" in self.arguments else self.arguments[0]

    @property
    def exits_with(self) -> int:
        if self.name in ("run", "bench") and "cuda" in self.arguments and not cuda():
            return 3  # there is nothing that can be run or measured
        if BASELINE in self.arguments:
            return 3  # nearly all of it was not run
        if self.arguments[:2] == ("run", "mine.py"):
            return 1  # its F1 is wrong, as the pages say
        return 0

    @property
    def says(self) -> str:
        """A pattern of what it prints if it did what it is there for, or the reason why it could not."""
        return "no CUDA device|^one side only: " if self.exits_with == 3 else SAYS[self.name]


@cache
def cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def files_of(page: Path) -> dict[str, str]:
    return {block.file: block.text for block in blocks(page) if block.file}


def cases() -> Iterator[Case]:
    """Each command once, unless another page has other files by the names that it is given."""
    seen = set()
    for page in PAGES:
        own = files_of(page)
        for command in chain(chain.from_iterable(map(commands, blocks(page))), told(page)):
            key = command.arguments, *(own.get(each) for each in command.arguments)
            if command.exits_with is None and key not in seen:
                seen.add(key)
                yield Case(page, command.arguments)


FILES = {name: text for page in PAGES for name, text in files_of(page).items()}
CASES = [pytest.param(case, id=f"{case.page.relative_to(ROOT)}: {' '.join(case.arguments)}") for case in cases()]


@dataclass
class First(runs.Run):
    """Carries out the first of the trials that were asked for."""

    def __post_init__(self) -> None:
        asked, left = self.chooses, iter(range(TRIALS))
        self.chooses = lambda trial: (not asked or asked(trial)) and next(left, None) is not None


def measuring_one(execute, **little):
    """Measures one way, and little of it."""

    def call(catalog, request, tell):
        asked = [each.id for each in catalog.select(request.filters or strategies.DEFAULT_FILTERS)]
        way = next(each for each in (*WAYS, *asked) if each in asked)
        return execute(catalog, replace(request, filters=(way,), rounds=1, **little), tell)

    return call


def without_a_clock(execute):
    return lambda catalog, request, *others: execute(catalog, replace(request, budget_s=0.0), *others)


@pytest.fixture(scope="module")
def warm() -> Iterator[Engines]:
    with local.engines(["lightning", "keras", "torch"]) as started:
        yield started


@pytest.fixture(scope="module")
def here() -> environments.Provided:
    return environments.provide(sides.Interpreter(Path(sys.executable)), (), print)


@pytest.fixture(scope="module")
def narrowed(warm, here, tmp_path_factory) -> Iterator[None]:
    @contextmanager
    def shared(frameworks, *_, **__):
        yield Engines({framework: warm.by_framework[framework] for framework in frameworks})

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPOCH_HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("EPOCH_HARNESS_TRACEBACK", "1")
        for module in (local, cli, strategies):
            patch.setattr(module, "engines", shared)
        patch.setattr(overlap, "LocalEngine", lambda framework, **_: nullcontext(warm.by_framework[framework]))
        patch.setattr(runs, "Run", First)
        patch.setattr(upgrade, "Run", First)
        patch.setattr(upgrade, "execute", without_a_clock(upgrade.execute))
        patch.setattr(environments, "provide", lambda *_: here)
        patch.setattr(on_cluster, "provide", lambda _side, _more, where, _packages: replace(here, where=where))
        patch.setattr(strategies, "execute", measuring_one(strategies.execute, batches=4))
        little = {"loads": ("sleep",), "ratios": (1.0,), "epochs": 2, "train_s": 0.1, "long_epochs": 0, "weights": ()}
        patch.setattr(overlap, "execute", measuring_one(overlap.execute, **little))
        yield


@pytest.fixture(scope="module")
def stored(narrowed, tmp_path_factory) -> Path:
    """A run that is there when a command needs one."""
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        assert call(patch, "run", "epoch_averaging/manual_average/migrated", "--out", str(out)) == 0
    return out


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of one node, this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster.address
    cluster.shutdown()


def call(patch: pytest.MonkeyPatch, *arguments: str) -> int:
    """What `epoch-harness` exits with."""
    patch.setattr(sys, "argv", ["epoch-harness", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


Execute = Callable[[Case], str]


@pytest.fixture
def execute(stored, tmp_path, monkeypatch, capsys, request) -> Iterator[Execute]:
    """Execute a command in a folder with all that its page names; what it printed."""

    def carry_out(case: Case) -> str:
        for name, text in (FILES | files_of(case.page)).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        given = dict(PLACEHOLDERS)
        if ADDRESS in case.arguments:
            given[ADDRESS] = request.getfixturevalue("address")
        code = call(monkeypatch, *(given.get(each, each) for each in case.arguments))
        printed = capsys.readouterr()
        assert code == case.exits_with, printed.out + printed.err
        return printed.out

    for name in RUNS:
        shutil.copytree(stored, tmp_path / name)
    shutil.copytree(ROOT / "reports" / "baselines", tmp_path / "reports" / "baselines")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which the folders of scenario files are added
    yield carry_out
    sys.modules.pop("my_project", None)  # two pages have one, and they differ


@pytest.mark.parametrize("case", CASES)
def test_a_command_does_what_it_is_there_for(case, execute):
    for asked, module in EXTRAS.items():
        if any(asked in each for each in case.arguments) and find_spec(module) is None:
            pytest.skip(f"{module} is of an extra that is not installed here")
    printed = execute(case)
    assert re.search(case.says, printed, re.MULTILINE), printed
    written = [Path(each) for each in WRITTEN.findall(printed)]
    assert all(each.stat().st_size for each in written)
    if case.name == "run" and case.exits_with != 3:
        assert RunDirectory.open(written[0].parent).read_findings()
    if "--github" in case.arguments:
        assert Path("summary.md").stat().st_size


def test_a_command_that_does_not_work_is_found_out(execute):
    with pytest.raises(AssertionError, match="no scenario matches"):
        execute(Case(PAGES[0], ("run", "no_such_document/*")))
