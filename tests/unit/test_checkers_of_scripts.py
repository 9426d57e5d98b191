"""Checkers on what a script of a scenario's own did besides one `fit`, and on what is wrong with that.

The model outputs a sample's id; samples 4 to 7 are those to validate and to test on, in batches of 3 and 1.
"""

import numpy as np
import pytest
from histories import Operations, batch, ended, found, objections

from harness.checkers.case import Case
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history import reader
from harness.history.recorder import Recorder
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

WORKLOAD = Workload(
    name="ids/short", task="regression", features=np.arange(8, dtype=np.float32)[:, None],
    targets=np.zeros((8, 1), dtype=np.float32), train=((0, 1), (2, 3)), validation=((4, 5, 6), (7,)),
    schedule=Schedule(epochs=2, validate_every=2),  # which tests and training heed not
)  # fmt: skip
ENVIRONMENT = Environment({"python": "3.11.7", "packages": {"pytorch-lightning": "2.6.6"}, "unavailable": ""})
TRUTHS = {"train": 1.5, "test": 5.5}


@pytest.fixture
def case(tmp_path):
    def make(operations: Operations, stage: str) -> Case:
        recorder = Recorder(tmp_path / "history.jsonl")
        for operation in operations:
            recorder.write(**operation)
        recorder.close()
        scenario = Scenario(
            pattern="test/ids", variant="recommended", source="", module=object, workloads=("ids/*",),
            aggregates=(Aggregate("mean", of=mean_of_outputs, stage=stage),), framework="lightning", hooks=(),
            expects=(), needs="", predictions_from="", trainer={}, locator="", declared_at="", fit=print,
        )  # fmt: skip
        trial = Trial(scenario.id, "", "lightning", WORKLOAD.name, "cpu", 0)
        return Case(trial, scenario, WORKLOAD, reader.read(tmp_path / "history.jsonl"), ENVIRONMENT)

    return make


def script(epochs: int, stage: str, *calls: tuple[str, ...]) -> Operations:
    """What is written of a script that goes over the batches of a stage.

    Args:
        calls: what it asks of Trainers, each with the epochs that are gone through then.
    """
    history = Operations()
    history.add("trial", "invoke")
    history.add("plan", "info", {"max_epochs": epochs, "stages": [stage], "hooks": [], "owners": []})
    for name, *gone_through in calls:
        history.add(f"Trainer.{name}", "invoke")
        for epoch in gone_through:
            pass_over(history, stage, epoch)
        history.add("Logger.finalize", "invoke")
        history.add("Logger.finalize", "ok")
        history.add(f"Trainer.{name}", "ok", {})
    history.add("trial", "ok")
    history.add("exit", "info", ended())
    return history


def pass_over(history: Operations, stage: str, epoch: int) -> None:
    stamp = {"stage": stage, "epoch": epoch}
    history.add(f"on_{stage}_epoch_start", "info", **stamp)
    batches = WORKLOAD.batches(stage)
    for index, ids in enumerate(batches):
        history.add("batch", "invoke", batch=index, **stamp)
        history.add("batch", "ok", batch(ids, 0), batch=index, **stamp)
    history.add(f"on_{stage}_epoch_end", "info", **stamp)
    step = (epoch + 1) * len(batches) - 1 if stage == "train" else 0
    history.add("logger", "ok", {"step": step, "epoch": epoch, "metrics": {"mean": TRUTHS[stage]}}, **stamp)


class TestSeveralTrainings:
    def test_epochs_may_be_shared_between_calls(self, case):
        assert objections(case(script(2, "train", ("fit", 0), ("fit", 1)), "train")) == []

    def test_what_comes_after_training_belongs_to_no_epoch(self, case):
        assert objections(case(script(2, "train", ("fit", 0, 1), ("predict",)), "train")) == []

    def test_one_call_is_held_to_the_order_of_hooks(self, case):
        doubled = script(2, "train", ("fit", 0, 1)).twice(f="Logger.finalize")
        assert ("order", "hooks and steps", "violated") in objections(case(doubled, "train"))

    def test_an_epoch_that_no_call_goes_through_is_missing(self, case):
        assert found(case(script(2, "train", ("fit", 0), ("fit",)), "train"), "aggregate", "mean").verdict == "missing"


class TestTestAlone:
    ALONE = script(1, "test", ("test", 0))

    def test_nothing_is_held_against_it(self, case):
        assert objections(case(self.ALONE, "test")) == []

    def test_a_wrong_figure_is_told(self, case):
        wrong = self.ALONE.with_value({"step": 0, "epoch": 0, "metrics": {"mean": 5.0}}, f="logger")
        assert objections(case(wrong, "test")) == [("aggregate", "mean", "wrong")]

    def test_a_figure_that_does_not_come_is_told(self, case):
        assert objections(case(self.ALONE.without(f="logger"), "test")) == [("aggregate", "mean", "missing")]

    def test_samples_that_are_left_out_are_told(self, case):
        finding = found(case(self.ALONE.without(f="batch", batch=1), "test"), "samples", "test")
        assert finding.message == "epoch 0: dropped 1 samples (7)"
