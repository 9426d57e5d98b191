"""A loop of one's own is recorded as it runs, and runs as if it were not."""

import pytest
import torch

from harness import Aggregate, scenario
from harness.errors import ScenarioError
from harness.frameworks import torch_loop
from harness.frameworks.torch_recording import checksums
from harness.history import reader
from harness.history.recorder import Recorder
from harness.oracle.quantities import cross_entropy
from harness.workloads import library

WORKLOAD = library.build("digits/train=2x8+3,validation=1x5", seed=0)


class Loop(torch.nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.net = torch.nn.Linear(shape.features, shape.classes)

    def forward(self, x):
        return self.net(x)

    def fit(self, train, validation, epochs, report):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        for _ in range(epochs):
            for x, y in self.taken(train):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(self(x), y).backward()
                optimizer.step()
            report({"loss": sum(torch.nn.functional.cross_entropy(self(x), y) for x, y in self.taken(validation))})

    def taken(self, batches):
        return batches


class AsksForNoMore(Loop):
    def taken(self, batches):
        for _, batch in zip(range(len(batches)), batches, strict=False):
            yield batch


class KeepsIterators(Loop):
    def __init__(self, shape):
        super().__init__(shape)
        self.kept = []

    def taken(self, batches):
        self.kept.append(iter(batches))
        return (next(self.kept[-1]) for _ in range(len(batches)))


class Raises(Loop):
    def taken(self, batches):
        for index, batch in enumerate(batches):
            yield batch
            if index == 1:
                raise ArithmeticError


class LeavesEarly(Loop):
    def taken(self, batches):
        for index, batch in enumerate(batches):
            if index == len(batches) - 1:
                return
            yield batch


def run(loop, recorder=None, workload=WORKLOAD):
    """Returns the module that was trained."""
    made = []
    own = scenario(
        pattern="own/loop", variant="control", framework="torch",
        module=lambda shape: made.append(loop(shape)) or made[0],
        aggregates=[Aggregate("loss", of=cross_entropy, stage="validation")],
    )  # fmt: skip
    torch_loop.run(own, workload, "cpu", 0, recorder)
    return made[0]


def recorded(loop, tmp_path):
    run(loop, Recorder(tmp_path / "history.jsonl"))
    return reader.read(tmp_path / "history.jsonl")


def batches(history, stage, type="ok"):
    return list(history.select("batch", type, stage=stage))


@pytest.mark.parametrize("loop", [Loop, AsksForNoMore, KeepsIterators])
def test_every_batch_is_recorded_with_its_samples(loop, tmp_path):
    history = recorded(loop, tmp_path)
    for stage in ("train", "validation"):
        seen = [(operation.epoch, tuple(operation.value["ids"])) for operation in batches(history, stage)]
        epochs = range(WORKLOAD.schedule.epochs)
        assert seen == [(epoch, batch) for epoch in epochs for batch in WORKLOAD.batches(stage)]


def test_a_batch_that_the_loop_did_not_finish_has_no_end(tmp_path):
    history = recorded(LeavesEarly, tmp_path)
    begun, ended = (batches(history, "train", type) for type in ("invoke", "ok"))
    assert [operation.batch for operation in begun if operation.epoch == 0] == [0, 1, 2]
    assert [operation.batch for operation in ended if operation.epoch == 0] == [0, 1]


def test_a_step_that_raises_has_no_end(tmp_path):
    with pytest.raises(ArithmeticError):
        recorded(Raises, tmp_path)
    ended = batches(reader.read(tmp_path / "history.jsonl"), "train")
    assert [operation.batch for operation in ended] == [0]


def test_figures_are_told_once_an_epoch(tmp_path):
    told = list(recorded(Loop, tmp_path).select("logger", "ok"))
    assert [operation.value["epoch"] for operation in told] == list(range(WORKLOAD.schedule.epochs))


def test_recording_changes_no_weight(tmp_path):
    assert checksums(run(Loop, Recorder(tmp_path / "history.jsonl"))) == checksums(run(Loop))


class RunsAgain(Loop):
    """Its forward pass runs once more in every step of validation.

    Args:
        noise: added to what that is given.
    """

    def __init__(self, shape, noise):
        super().__init__(shape)
        self.noise = noise

    def fit(self, train, validation, epochs, report):
        for _ in range(epochs):
            for x, _ in train:
                self(x)
            for x, _ in validation:
                self(x + self.noise)
                self(x)
            report({})


@pytest.mark.parametrize(("noise", "told"), [(0.0, None), (1.0, 2)], ids=["with the same result", "with another"])
def test_a_forward_pass_that_runs_again_in_a_step_is_told(noise, told, tmp_path):
    history = recorded(lambda shape: RunsAgain(shape, noise), tmp_path)
    assert [each.value.get("differing_runs") for each in batches(history, "train")] == [None] * 9
    assert {each.value.get("differing_runs") for each in batches(history, "validation")} == {told}


class Twice(Loop):
    def taken(self, batches):
        return [*batches, *batches]


class SideBySide(Loop):
    def fit(self, train, validation, epochs, report):
        for _ in zip(train, validation, strict=False):
            pass


@pytest.mark.parametrize(
    ("loop", "told"),
    [(Twice, "train twice before it reports epoch 0"), (SideBySide, "before it has done with a batch")],
)
def test_a_loop_whose_batches_cannot_be_told_apart_is_refused(loop, told, tmp_path):
    with pytest.raises(ScenarioError, match=told):
        recorded(loop, tmp_path)


def test_a_loader_has_all_that_a_loader_has(tmp_path):
    class Asks(Loop):
        def fit(self, train, validation, epochs, report):
            self.asked = len(train.dataset)

    asked = run(Asks).asked
    assert run(Asks, Recorder(tmp_path / "history.jsonl")).asked == asked > 0
