"""The environment that tests run in still does what its baseline says, of each pattern on its smallest workload."""

from pathlib import Path

import pytest

from harness import catalog as catalogs
from harness.comparison import baseline
from harness.comparison.compare import compare
from harness.comparison.differences import BIT
from harness.comparison.seen import seen
from harness.engine import plan
from harness.progress import Quiet
from harness.run import Request, Run
from harness.run_directory import RunDirectory
from harness.upgrade.baselines import FRAMEWORK
from harness.upgrade.profiles import QUICK, chosen
from harness.workloads import library

BASELINES = Path(__file__).parents[2] / "reports" / "baselines"
WITH = ("torch", "torchmetrics", "numpy")
WITH_PROCESSES_OF_ITS_OWN = "parallel_validation"  # which take too long


@pytest.mark.slow
def test_this_environment_equals_its_baseline(tmp_path: Path) -> None:
    catalog = catalogs.find()
    asked = [
        each
        for each in plan.asked(catalog, ())
        if each.scenario.framework == FRAMEWORK and each.scenario.document != WITH_PROCESSES_OF_ITS_OWN
    ]
    workloads = {name: library.build(name, 0) for name in dict.fromkeys(each.workload for each in asked)}
    of_the_quick_profile = chosen(QUICK, asked, workloads, every_pattern=True)
    run = Run(RunDirectory.create(tmp_path / "run"), Request(device="cpu", jobs=2), of_the_quick_profile)
    found = []
    with run.engines([FRAMEWORK], catalog.packages) as warm:
        here = warm.environments[FRAMEWORK].found
        packages = here["packages"]
        path = BASELINES / f"{packages.get('pytorch-lightning', packages.get('lightning'))}.jsonl"
        if not path.exists():
            pytest.skip(f"there is no {path.name} in reports/baselines: of each minor version the last release has one")
        told, kept = baseline.read(path)
        if other := [name for name in WITH if told["packages"][name] != packages[name]]:
            pytest.skip(f"{path.name} was made with another {' and '.join(other)}")
        same_calls = baseline.same_calls(told["python"], here["python"])
        for judged in run.carry_out(catalog, workloads, warm, Quiet()):
            now = seen(judged.findings, judged.history)
            found += compare(kept[now.key](), now if same_calls else baseline.without_calls(now))
    assert [f"{each.key}: {each.what}: {each.a} → {each.b}" for each in found if each.kind != BIT] == []
