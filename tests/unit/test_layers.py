"""Data flows one way: nothing downstream is imported upstream, and a trial needs nothing but its framework."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parents[1]

# From upstream to downstream: a module may import its own layer and those above it.
LAYERS = (
    ("harness.errors", "harness.importing", "harness.terminal", "harness.help", "harness.oracle", "harness.history"),
    ("harness.faults",),
    (
        "harness",
        "harness.scenario",
        "harness.fit",
        "harness.workloads.schedule",
        "harness.workloads.sharing",
        "harness.workloads.workload",
    ),
    (
        "harness.scenario_files",
        "harness.frameworks",
        "harness.oracle.loops",
        "harness.oracle.lightning_loop",
        "harness.oracle.keras_loop",
    ),
    ("harness.records", "harness.parallel"),
    ("harness.engine.place", "harness.engine.huge_pages", "harness.engine.leftovers", "harness.engine.servers"),
    ("harness.engine.trial", "harness.engine.warm_parent"),
    ("harness.environment", "harness.findings", "harness.verdicts", "harness.workloads", "harness.schemas"),
    ("harness.faults.library", "harness.faults.fitting", "harness.faults.json_places"),
    ("harness.catalog",),
    ("harness.faults.written_out",),
    ("harness.faults.selection",),
    ("harness.engine",),
    ("harness.checkers", "harness.claims", "harness.counters"),
    ("harness.judging",),
    ("harness.run_directory", "harness.machine"),
    ("harness.report",),
    ("harness.comparison",),
    ("harness.run",),
    ("harness.progress", "harness.listing", "harness.bench"),
    ("harness.upgrade", "harness.summary"),
    ("harness.completion",),
    ("harness.cli", "harness.__main__"),
    ("harness.pytest_plugin", "harness.pytest_scenarios", "harness.pytest_summary", "harness.pytest_trials"),
)
INSIDE_A_TRIAL = (
    "harness",
    "harness.errors",
    "harness.fit",
    "harness.importing",
    "harness.scenario",
    "harness.scenario_files",
    "harness.faults",
    "harness.faults.checkpoint",
    "harness.faults.fault",
    "harness.faults.injector",
    "harness.faults.loader",
    "harness.faults.process",
    "harness.faults.step",
    "harness.oracle",
    "harness.oracle.across",
    "harness.oracle.measured",
    "harness.oracle.predictions",
    "harness.oracle.quantities",
    "harness.history",
    "harness.history.encoding",
    "harness.history.recorder",
    "harness.workloads",
    "harness.workloads.schedule",
    "harness.workloads.sharing",
    "harness.workloads.workload",
    "harness.engine",
    "harness.engine.huge_pages",
    "harness.engine.leftovers",
    "harness.engine.place",
    "harness.engine.servers",
    "harness.engine.trial",
    "harness.engine.warm_parent",
)
ON_RAY = ("harness.parallel.by_value", "harness.parallel.ray_cluster", "harness.parallel.ray_worker")
FRAMEWORK = {"torch", "torchmetrics", "pytorch_lightning", "lightning", "tensorflow", "keras"}

# Whatever is neither the standard library's, NumPy's nor ours is not to be had.
IMPORT_WITH_NOTHING_ELSE = """
import importlib, importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {"harness", "numpy", *sys.stdlib_module_names}:
            raise ModuleNotFoundError(f"{name} is not to be had in a trial", name=name)

sys.meta_path.insert(0, Blocker())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
MEASURE = """
import numpy
from harness import quantities
for quantity in vars(quantities).values():
    if isinstance(quantity, quantities.Quantity):
        quantity(numpy.eye(3), numpy.arange(3.0) if "squared" not in quantity.name else numpy.eye(3), 2.0**-24)
"""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted((ROOT / "harness").rglob("*.py"))}
ADAPTERS = [name for name in MODULES if name.startswith(("harness.frameworks", "harness.parallel", "harness.records"))]


def imports_of(module: str) -> set[str]:
    """What a module's own import statements name, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively, which this test cannot follow"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
            found |= submodules or {str(node.module)}
    return found


def layer_of(module: str) -> int:
    """That of the longest name in `LAYERS` that is the module's, or that of a package around it."""
    placed = {name: number for number, names in enumerate(LAYERS) for name in names}
    parts = module.split(".")
    around = [".".join(parts[:length]) for length in range(len(parts), 1, -1)] or [module]
    found = [placed[name] for name in around if name in placed]
    assert found, f"{module} has no place in LAYERS yet; add it, or the package around it"
    return found[0]


@pytest.mark.parametrize("module", MODULES)
def test_nothing_downstream_is_imported(module):
    ours = imports_of(module) & set(MODULES)
    assert {other for other in ours if layer_of(other) > layer_of(module)} == set()


def needs_of(module: str) -> set[str]:
    """The modules of ours and the libraries that a module imports, the standard library aside."""
    ours = {name for name in imports_of(module) if name in MODULES}
    return ours | {name.split(".")[0] for name in imports_of(module) - ours} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", INSIDE_A_TRIAL)
def test_a_trial_asks_for_numpy_and_itself(module):
    assert needs_of(module) <= {*INSIDE_A_TRIAL, "numpy"}


@pytest.mark.parametrize("module", ADAPTERS)
def test_an_adapter_asks_for_its_framework_besides(module):
    besides = {"ray"} if module in ON_RAY else set()
    assert needs_of(module) <= {*INSIDE_A_TRIAL, *ADAPTERS, *FRAMEWORK, "numpy", *besides}


def test_a_trial_starts_where_there_is_nothing_but_numpy():
    command = [sys.executable, "-c", IMPORT_WITH_NOTHING_ELSE, *INSIDE_A_TRIAL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_quantity_is_measured_where_there_is_nothing_but_numpy():
    command = [sys.executable, "-c", IMPORT_WITH_NOTHING_ELSE + MEASURE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
