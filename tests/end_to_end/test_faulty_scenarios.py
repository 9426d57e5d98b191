"""A scenario that a user got wrong is told by its name, the place and the epoch, and disturbs no other."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.run_directory import RunDirectory

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
# What a trial may take; the fine ones need about a tenth of it (Lightning) and a quarter (Keras).
LIMITS_S = {"lightning": 3, "keras": 8}
# The checker that tells of each, its verdict, the epoch, and the words; HERE is the line marked in the file.
FAULTS = {
    "lightning": {
        "Raises": ("aggregate", "raised", 2, r"RuntimeError: .* \(HERE\), after the validation step of batch 3"),
        "GivesVector": ("aggregate", "raised", 1, "tensor.*after on_validation_epoch_end"),
        "LogsVector": ("aggregate", "raised", 1, r"single element.* \(HERE\), in on_validation_epoch_end"),
        "TellsLoggerVector": (
            "aggregate", "wrong", 1, r"tensor of shape \(3,\), not a number, in on_validation_epoch_end",
        ),
        "LogsUndeclared": ("aggregate", "missing", 0, r"declares: 'val_accuracy' \(in on_validation_epoch_end"),
        "MetricNeverEnds": ("process", "violated", 1, r"3\.0 s \(HERE\), after the validation step of batch 3"),
        "StepNeverEnds": ("process", "violated", 1, r"3\.0 s \(HERE\), in the train step of batch 3"),
    },
    "keras": {
        "Raises": ("aggregate", "raised", 2, r"ArithmeticError: .* \(HERE\), after on_train_batch_end"),
        "StepRaises": ("aggregate", "raised", 2, r"ArithmeticError: .* \(HERE\), in the train step of batch 3"),
        "ReportsVector": ("aggregate", "wrong", 0, r"ndarray of shape \(3,\), not a number, after on_epoch_end"),
        "ReportsUndeclared": ("aggregate", "missing", 0, r"declares: 'acc', .*\(after on_epoch_end"),
        "MetricNeverEnds": ("process", "violated", 1, r"8\.0 s \(HERE\), after on_train_batch_end"),
        "StepNeverEnds": ("process", "violated", 1, r"8\.0 s \(HERE\), in the train step of batch 3"),
    },
}  # fmt: skip


def file(framework):
    return FOLDER / f"faulty_{framework}.py"


@pytest.fixture(scope="module", params=FAULTS)
def ran(request, epoch_harness, tmp_path_factory):
    """All scenarios of a framework in one run: how it ended, and its findings."""
    framework = request.param
    if find_spec(framework if framework == "keras" else "torchmetrics") is None:
        pytest.skip(f"{framework} is not installed")
    out = tmp_path_factory.mktemp(framework) / "run"
    ended = epoch_harness("run", file(framework), "--limit", LIMITS_S[framework], "--jobs", 2, "--out", out)
    return framework, ended, RunDirectory.open(out).read_findings()


def test_each_fault_is_told_with_its_place_and_epoch(ran):
    framework, _, findings = ran
    lines = enumerate(file(framework).read_text().splitlines(), 1)
    marked = {text.split("# here: ")[1]: f"{file(framework).name}:{line}" for line, text in lines if "# here: " in text}
    for name, (checker, verdict, epoch, words) in FAULTS[framework].items():
        (finding,) = (
            each
            for each in findings
            if (each.scenario, each.checker) == (f"{framework}/{name}/recommended", checker) and not each.as_expected
        )
        assert (finding.verdict, finding.epoch) == (verdict, epoch), name
        assert re.search(words.replace("HERE", re.escape(marked.get(name, ""))), finding.message), finding.message
        assert finding.message.endswith((f", epoch {epoch}", f", epoch {epoch})")), finding.message


def test_what_never_ends_leaves_its_figure_unknown(ran):
    framework, _, findings = ran
    unknown = {each.scenario for each in findings if each.verdict == "unknown"}
    assert unknown == {f"{framework}/{name}/recommended" for name in ("MetricNeverEnds", "StepNeverEnds")}


def test_no_other_trial_is_disturbed(ran):
    framework, _, findings = ran
    fine = [each for each in findings if each.scenario == f"{framework}/Fine/recommended"]
    assert [each.verdict for each in fine if each.checker == "aggregate"] == ["exact"]
    assert all(each.as_expected for each in fine)


def test_the_run_fails_for_the_findings(ran):
    _, ended, _ = ran
    assert ended.code == 1
