"""`pytest --benchmark` in a project that merely has the harness installed, under settings as strict as they come."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.report.runs import read
from harness.run_directory import RunDirectory

SETTINGS = """
[pytest]
addopts = --strict-markers --strict-config
xfail_strict = true
filterwarnings = error
testpaths = tests
"""

OWN_MODULE = """
import torch
from torch.nn.functional import cross_entropy as loss_fn

from harness import Aggregate, Expect, scenario
from harness.frameworks.lightning_package import pl
from harness.oracle.predictions import mean_of_batch_means
from harness.oracle.quantities import cross_entropy


class Plain(pl.LightningModule):
    def __init__(self, data):
        super().__init__()
        self.net = torch.nn.Linear(data.features, data.classes)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Raises(Plain):
    def on_train_epoch_end(self):
        raise RuntimeError("as every time")


LOSS = Aggregate("train_loss", of=cross_entropy, stage="train")
"""

OWN_SCENARIOS = """
scenario(pattern="mine/plain", variant="migrated", module=Plain, aggregates=[LOSS], workloads="digits/ragged")
scenario(
    pattern="mine/raises", variant="migrated", module=Raises, aggregates=[LOSS], workloads="digits/even",
    expects=[Expect("raised", exception="RuntimeError")],
)
scenario(
    pattern="mine/tomorrow", variant="migrated", module=Plain, aggregates=[LOSS], workloads="digits/even",
    needs="pytorch_lightning>=99",
)
"""

FALSE_EXPECTATION = """
scenario(
    pattern="mine/false", variant="control", module=Plain, aggregates=[LOSS], workloads="digits/ragged",
    expects=[Expect("biased", aggregate="train_loss")],
)
"""


NEVER_ENDING = """
import os, pathlib, time


class NeverEnding(Plain):
    def on_train_start(self):
        pathlib.Path(os.environ["MARK"]).touch()
        time.sleep(60)


scenario(
    pattern="mine/never_ending", variant="control", module=NeverEnding, aggregates=[LOSS], workloads="digits/even"
)
"""


@pytest.fixture
def project(pytester, monkeypatch):
    # pytest-benchmark times nothing in a worker of pytest-xdist.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makeini(SETTINGS)
    pytester.path.joinpath("tests").mkdir()
    pytester.path.joinpath("tests", "test_own.py").write_text("def test_own():\n    pass\n")
    return pytester


@pytest.fixture
def scenario_file(project):
    path = project.path / "own_scenario.py"
    path.write_text(OWN_MODULE + OWN_SCENARIOS)
    return path


def add_setting(project, line):
    project.makeini(SETTINGS + line)


def test_without_the_flag_nothing_is_collected_and_nothing_heavy_imported(project, scenario_file):
    add_setting(project, "epoch_harness_scenarios = own_scenario.py")
    project.path.joinpath("tests", "test_own.py").write_text(
        "import sys\n"
        "def test_own():\n"
        "    heavy = {'torch', 'pytorch_lightning', 'pandas', 'jinja2', 'sklearn', 'scenarios'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.slow
def test_each_trial_is_judged_and_then_timed(project, scenario_file):
    """Built-in scenarios beside those of the ini option, and the tests in the path that is named."""
    add_setting(project, "epoch_harness_scenarios = own_*.py")
    result = project.runpytest_subprocess(
        "--benchmark", "--scenario=mine/*", "--scenario=epoch_end_hooks/basic_metric/migrated@digits/single_batch",
        "--benchmark-json=times.json", "--junitxml=junit.xml", "-rs", "--basetemp=base", "tests",
    )  # fmt: skip
    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(["*SKIPPED*needs pytorch_lightning>=99, and * is installed"])
    result.stdout.fnmatch_lines(["=* scenarios =*", "slower: not known; *", "report:  */report.html"])
    result.stdout.no_fnmatch_line("not as expected: *")
    assert lacking(project.path / "base") == [()]

    timed = {
        benchmark["name"]: benchmark
        for benchmark in json.loads((project.path / "times.json").read_text())["benchmarks"]
    }
    built_in = "epoch_end_hooks/basic_metric/migrated@digits/single_batch"
    assert set(timed) == {"mine/plain/migrated@digits/ragged", built_in}
    assert timed[built_in]["fullname"] == f"scenarios::{built_in}"
    ragged = timed["mine/plain/migrated@digits/ragged"]
    assert ragged["stats"]["rounds"] == 3
    assert 0.001 < ragged["stats"]["min"] <= ragged["stats"]["max"] < 60
    assert ragged["extra_info"]["samples"] >= 229
    assert ragged["extra_info"]["batches_per_second"] == pytest.approx(
        ragged["extra_info"]["batches"] / ragged["stats"]["median"]
    )

    cases = {case.get("name"): case for case in ElementTree.parse(project.path / "junit.xml").iter("testcase")}
    properties = {name: {p.get("name"): p.get("value") for p in case.iter("property")} for name, case in cases.items()}
    assert properties["mine/plain/migrated@digits/ragged"]["verdict:aggregate:train_loss"] == "exact"
    assert properties["mine/raises/migrated@digits/even"]["verdict:aggregate:train_loss"] == "raised"
    assert "torch" in properties[built_in]["environment"]


@pytest.mark.slow
def test_each_worker_has_a_report_of_its_own_that_is_whole(project, scenario_file):
    add_setting(project, "epoch_harness_scenarios = own_*.py")
    result = project.runpytest_subprocess("--benchmark", "--scenario=mine/*", "-n2", "--basetemp=base")
    result.assert_outcomes(passed=2, skipped=1)
    assert set(lacking(project.path / "base")) == {()}


def lacking(folder):
    """What reports say that there is not of each session below the folder."""
    runs = [RunDirectory.open(manifest.parent) for manifest in folder.rglob("manifest.json")]
    return [run.lacks for run in read(runs)]


@pytest.mark.slow
def test_an_unexpected_verdict_fails_readably_and_is_not_timed(project):
    path = project.path / "false_scenario.py"
    path.write_text(OWN_MODULE + FALSE_EXPECTATION)
    result = project.runpytest_subprocess("--benchmark", "--scenario", path.name, "--benchmark-json=times.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*aggregate train_loss: exact, expected biased",
            "*observed *",
            "*truth *",
            "*prediction *",
            "*bound *",
            "*lines of the history that show it:",
            '*"logger"*train_loss*',
            f"*scenario: *mine/false/control, declared at {path}:*",
            "FAILED scenarios::mine/false/control@digits/ragged - *aggregate*",
        ]
    )
    result.stdout.fnmatch_lines(
        ["not as expected: 2", "  exact  train_loss of mine/false/control@digits/ragged, expected biased"]
    )
    [report] = [line.removeprefix("report:  ") for line in result.outlines if line.startswith("report:  ")]
    assert "mine/false/control" in Path(report).read_text()
    manifest = json.loads(Path(report).with_name("manifest.json").read_text())
    assert (manifest["status"], manifest["counts"]["unexpected"]) == ("complete", 2)
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_scenarios.py*")
    assert json.loads((project.path / "times.json").read_text())["benchmarks"] == []


@pytest.mark.slow
def test_without_a_gpu_trials_on_one_are_skipped(project, scenario_file):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    result = project.runpytest_subprocess("--benchmark", "--device", "cuda", f"--scenario={scenario_file}", "-rs")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["*SKIPPED*no CUDA device: *"])
    result.stdout.no_fnmatch_line("=* scenarios =*")


def test_only_scenarios_are_collected_if_no_path_is_named(project):
    result = project.runpytest_subprocess("--benchmark", "--collect-only", "-q", "-k", "basic_metric and ragged")
    result.stdout.fnmatch_lines(["scenarios::epoch_end_hooks/basic_metric/migrated@digits/ragged", "*deselected*"])
    result.stdout.no_fnmatch_line("*test_own*")
    result.stdout.no_fnmatch_line("*digits/even*")


def test_the_plugin_may_be_named_again(project):
    project.makeconftest("pytest_plugins = ['harness.pytest_plugin']")
    result = project.runpytest_subprocess("-p", "harness.pytest_plugin", "--help")
    result.stdout.fnmatch_lines(["*--scenario=FILTER*", "*--benchmark *"])
    project.runpytest_subprocess("-p", "epoch_harness").assert_outcomes(passed=1)


def test_options_of_the_same_name_in_a_project_go_on_working(project):
    project.makeconftest(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--benchmark', action='store_true')\n"
        "    parser.addoption('--device', default='cpu')\n"
    )
    project.runpytest_subprocess("--device=mps").assert_outcomes(passed=1)
    result = project.runpytest_subprocess("--benchmark", "--device=mps")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot run on 'mps'*auto, cpu, cuda"])
    result = project.runpytest_subprocess("--benchmark", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["tests/test_own.py::test_own", "scenarios::*"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario=mine/*"], "*add --benchmark"),
        (["--benchmark", "-p", "no:benchmark"], "*pytest-benchmark, which is switched off*"),
        (["--benchmark", "--scenario=epoch_end_hooks/basic_metrics*"], "*no scenario matches*did you mean*"),
        (["--benchmark", "--scenario=broken.py"], "*broken.py*ZeroDivisionError*"),
        (["--benchmark", "-o", "epoch_harness_scenarios=none/*.py"], "*no file matches 'none/[*].py'*"),
    ],
)
def test_bad_usage_is_told_in_a_line(project, arguments, message):
    project.path.joinpath("broken.py").write_text("1 / 0\n")
    result = project.runpytest_subprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads other processes' environment in /proc")
def test_an_interrupt_ends_every_process(project):
    project.path.joinpath("slow_scenario.py").write_text(OWN_MODULE + NEVER_ENDING)
    mark = project.path / "trial_has_started"
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--benchmark", "--scenario=slow_scenario.py"],
        env={**os.environ, "MARK": str(mark)},
        stdout=subprocess.PIPE,
        text=True,
        # A shell starts what it puts in the background with Ctrl-C ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until(mark.exists)
    assert len(processes_that_know(mark)) >= 3
    session.send_signal(signal.SIGINT)
    output, _ = session.communicate(timeout=30)
    assert session.returncode == pytest.ExitCode.INTERRUPTED, output
    wait_until(lambda: not processes_that_know(mark))


def processes_that_know(mark):
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            found += [environ.parent.name] * (f"MARK={mark}".encode() in environ.read_bytes())
    return found


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.05)
