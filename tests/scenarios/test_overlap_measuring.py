"""What the bench's own training tells of itself."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import scenario_files
from harness.bench.measuring import many_batches
from harness.bench.overlap_results import FLOOR, REFERENCE
from harness.frameworks.lightning_package import pl
from harness.frameworks.overlap_load import KINDS, Load
from harness.frameworks.overlap_measuring import measure
from harness.frameworks.overlap_modules import LoadedModule, make_module

EPOCHS, BATCHES, VALIDATION = 2, 3, 2
pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on loaders and logging


class Notes(pl.Callback):
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        pass

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        pass


def told(script: Any = None, scenario: str = REFERENCE, **load: Any) -> dict[str, Any]:
    declared, _ = scenario_files.load("scenarios.parallel_validation.sequential")
    found = {each.id: each for each in declared}[scenario]
    workload = many_batches(BATCHES, 0, VALIDATION)
    changed = found if script is None else replace(found, fit=script)
    return measure(changed, Load(epochs=EPOCHS, **load), workload, "cpu", 0)


def sequential(fit: Any) -> None:
    fit.trainer().fit(fit.module, fit.train_loader(), fit.val_loader())


def with_notes(fit: Any) -> None:
    fit.trainer(callbacks=[Notes()]).fit(fit.module, fit.train_loader(), fit.val_loader())


@pytest.mark.parametrize("kind", KINDS)
def test_every_epoch_is_seen_trained_and_validated(kind: str) -> None:
    found = told(kind=kind)
    assert len(found["train"]) == len(set(found["weights"])) == EPOCHS
    assert [(each["epoch"], each["whole"], each["worker"]) for each in found["validation"]] == [
        (epoch, True, 0) for epoch in range(EPOCHS)
    ]
    assert [(each["epoch"], each["step"]) for each in found["figures"]] == [
        (epoch, BATCHES * (epoch + 1) - 1) for epoch in range(EPOCHS)
    ]


def test_it_is_one_time_line() -> None:
    found = told()
    times = [
        time
        for (start, end), each in zip(found["train"], found["validation"], strict=True)
        for time in (start, end, each["start_s"], each["end_s"])
    ]
    assert [0.0, *times, found["over_s"], found["wall_s"]] == sorted([0.0, *times, found["over_s"], found["wall_s"]])


def test_hooks_of_the_scenario_s_callbacks_are_told_by_epoch() -> None:
    hooks = {(each["hook"], each["epoch"]) for each in told(with_notes)["hooks"]}
    assert {("setup", -1), ("on_train_epoch_end", 0), ("on_train_epoch_end", 1), ("on_train_end", 1)} <= hooks
    assert told()["hooks"] == []  # the bench's own are no scenario's


def test_without_validation_there_is_none() -> None:
    found = told(scenario=FLOOR)
    assert found["validation"] == found["figures"] == []


def test_training_is_the_same_with_and_without_validation_and_callbacks() -> None:
    assert told()["weights"] == told(scenario=FLOOR)["weights"] == told(with_notes)["weights"]


def test_weights_of_a_middle_of_an_epoch_are_not_taken_for_its_end() -> None:
    class InTheMiddle(pl.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            if trainer.current_epoch == 1 and batch_idx == 0:
                pl_module.eval()
                for x, _ in self.loader:
                    pl_module(x)
                pl_module.train()

    def script(fit: Any) -> None:
        callback = InTheMiddle()
        callback.loader = fit.val_loader()
        fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())

    (seen,) = told(script)["validation"]
    assert not seen["whole"]


def test_what_a_process_is_given_can_be_sent_to_it() -> None:
    def script(fit: Any) -> None:
        new_module, loader = pickle.loads(pickle.dumps((fit.new_module, fit.val_loader())))
        assert torch.equal(new_module().net.weight, fit.module.net.weight)
        assert len(list(loader)) == VALIDATION
        sequential(fit)

    assert told(script)["weights"] == told()["weights"]


def test_memory_is_told_if_it_is_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert told()["memory"] is None
    assert told(watch_memory=True, train_s=0.02)["memory"]["own"] > 2**20


def test_another_module_of_the_kind_has_the_same_weights_and_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, other = (make_module(LoadedModule, Load(weights_bytes=4000), 64, 10, 0, "") for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one.ballast.numel() == 1000
