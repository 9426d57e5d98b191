"""Which epochs Lightning completes, and what is recorded of them."""

import math
import os
import resource
import shutil
import warnings

import pytest
import torch
from packaging.version import Version

from harness.frameworks.lightning_package import pl
from harness.records.lightning import EpochRecords

BATCHES, VALIDATION_BATCHES = 3, 2
VERSION = Version(pl.__version__).release
FROM_2_ON = VERSION >= (2, 0)
SAMPLES = torch.arange(2.0 * BATCHES).reshape(-1, 1)


class Module(pl.LightningModule):
    """Calls `at[stage, epoch, batch]` in that step; the answer of that in `start` is the hook's."""

    def __init__(self, at=()):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.at = dict(at)

    def reached(self, *place):
        return self.at.get((place[0], self.current_epoch, *place[1:]), nothing)(self)

    def on_train_batch_start(self, batch, batch_idx):
        return self.reached("start", batch_idx)

    def training_step(self, batch, batch_idx):
        self.reached("train", batch_idx)
        loss = self.layer(batch).square().mean()
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        self.reached("validation", batch_idx)
        self.log("val_loss", self.layer(batch).square().mean())

    def on_train_epoch_end(self):
        self.log("at_the_end", 7.0)
        self.reached("end")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.001)


def nothing(module):
    pass


def skip(module):
    return -1


class RunsDry:
    """As long as it says, except in one pass (counted from 0), which ends after one batch."""

    def __init__(self, length, dry_in):
        self.length, self.dry_in, self.passes = length, dry_in, 0

    def __len__(self):
        return self.length

    def __iter__(self):
        # Counted when it is asked for the first batch: Lightning also makes iterators that it does not use.
        length = 1 if self.passes == self.dry_in else self.length
        self.passes += 1
        yield from [SAMPLES[:2]] * length


class WithoutLength(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(SAMPLES)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    """Where people train; and Lightning warns of small loaders and of few workers."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def loader(batches):
    return torch.utils.data.DataLoader(SAMPLES[: 2 * batches], batch_size=2)


def fit(module=None, train=None, validation=None, callbacks=(), resume=None, **arguments):
    """Train three epochs in the working folder; the trainer."""
    records = EpochRecords("epochs.jsonl", checkpoint="last.ckpt")
    trainer = pl.Trainer(
        **{"max_epochs": 3, **arguments},
        callbacks=[*callbacks, records],
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module or Module(),
        loader(BATCHES) if train is None else train,
        loader(VALIDATION_BATCHES) if validation is None else validation,
        ckpt_path=resume,
    )
    return trainer


def read():
    return EpochRecords("epochs.jsonl").file.read()


def recorded():
    return [record["epoch"] for record in read()]


def done():
    """The epochs that the checkpoint calls complete."""
    loops = torch.load("last.ckpt", weights_only=False)["loops"]
    return loops["fit_loop"]["epoch_progress"]["current"]["processed"]


def stop(module):
    module.trainer.should_stop = True


def fail(module):
    raise RuntimeError("the user's own")


def interrupt(module):
    raise KeyboardInterrupt


def test_what_is_recorded():
    trainer = fit()
    assert recorded() == [0, 1, 2]
    last = read()[-1]
    expected = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if not FROM_2_ON:
        del expected["at_the_end"]
    assert last == {"epoch": 2, "global_step": 3 * BATCHES, "resumed": False, "metrics": expected}
    assert set(last["metrics"]) >= {"loss", "val_loss"}


def test_figures_of_an_earlier_epoch_are_not_recorded_again():
    fit(check_val_every_n_epoch=2)
    assert ["val_loss" in record["metrics"] for record in read()] == [False, True, False]
    assert ["loss" in record["metrics"] for record in read()] == [True, True, True]


@pytest.mark.parametrize(
    ("at", "epochs"),
    [
        ({("train", 1, 0): stop}, [0]),
        ({("train", 1, BATCHES - 1): stop}, [0, 1]),
        ({("validation", 1, 0): stop}, [0, 1]),
        ({("start", 1, BATCHES - 1): skip}, [0, 2]),
    ],
    ids=["stopped in mid-epoch", "stopped in the last batch", "stopped in validation", "a batch skipped"],
)
def test_an_epoch_that_is_cut_short_is_not_complete(at, epochs):
    fit(Module(at))
    assert recorded() == epochs
    assert done() == epochs[-1] + 1


@pytest.mark.parametrize("place", [("train", 1, BATCHES - 1), ("validation", 1, VALIDATION_BATCHES - 1)])
def test_an_exception_is_the_users_own_and_ends_an_epoch_without_record(place):
    with pytest.raises(RuntimeError, match=r"^the user's own$") as raised:
        fit(Module({place: fail}))
    assert raised.value.__context__ is None
    assert recorded() == [0]


def test_ctrl_c_ends_an_epoch_without_record():
    try:
        fit(Module({("train", 1, 1): interrupt}))
    except SystemExit:
        assert FROM_2_ON
    assert recorded() == [0]


def test_max_steps_may_cut_an_epoch():
    fit(max_steps=BATCHES + 1)
    assert recorded() == [0]


def test_max_steps_may_be_an_epochs_end():
    fit(max_steps=2 * BATCHES)
    assert recorded() == [0, 1]


def test_limited_batches_are_all_that_is_planned():
    fit(limit_train_batches=2, limit_val_batches=1)
    assert recorded() == [0, 1, 2]


def test_a_training_loader_that_runs_dry():
    fit(train=RunsDry(BATCHES, dry_in=1))
    assert recorded() == [0, 2]


def test_a_validation_loader_that_runs_dry():
    fit(validation=RunsDry(VALIDATION_BATCHES, dry_in=1), num_sanity_val_steps=0)
    assert recorded() == [0, 2]


def test_validation_twice_an_epoch_cut_once():
    fit(validation=RunsDry(VALIDATION_BATCHES, dry_in=2), num_sanity_val_steps=0, val_check_interval=1)
    assert recorded() == [1, 2]


def test_the_sanity_check_of_one_batch_cuts_nothing():
    fit(num_sanity_val_steps=1)
    assert recorded() == [0, 1, 2]


def test_several_validation_loaders():
    fit(ValidatesTwo(), validation=[loader(1), loader(2)])
    assert recorded() == [0, 1, 2]


class ValidatesTwo(Module):
    def validation_step(self, batch, batch_idx, dataloader_idx):
        self.log("val_loss", self.layer(batch).square().mean())


@pytest.mark.skipif(not FROM_2_ON, reason="Lightning 1.9 validates on one loader after the other")
@pytest.mark.parametrize("mode", ["max_size_cycle", "max_size", "min_size", "sequential"])
def test_loaders_that_are_combined(mode):
    fit(ValidatesSome(), validation=pl.utilities.CombinedLoader([loader(1), loader(2)], mode))
    assert recorded() == [0, 1, 2]


class ValidatesSome(Module):
    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.log("val_loss", 0.5, batch_size=1)


def test_without_validation():
    fit(limit_val_batches=0)
    assert recorded() == [0, 1, 2]


def test_a_loader_without_a_length_is_complete_when_it_ends():
    fit(train=torch.utils.data.DataLoader(WithoutLength(), batch_size=2))
    assert recorded() == [0, 1, 2]


def test_a_loader_without_a_length_may_be_stopped():
    fit(Module({("train", 1, 1): stop}), train=torch.utils.data.DataLoader(WithoutLength(), batch_size=2))
    assert recorded() == [0]


def test_nan_is_recorded():
    fit(Module({("train", 0, 0): lambda module: module.layer.weight.data.fill_(math.nan)}), max_epochs=1)
    assert math.isnan(read()[0]["metrics"]["loss"])


def test_training_from_the_start_removes_the_records_of_another():
    fit()
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(Module({("train", 0, 0): fail}))
    assert recorded() == []


def test_there_is_nothing_to_resume_from_at_first():
    assert EpochRecords("epochs.jsonl", checkpoint="last.ckpt").resume_from() is None


def test_resuming_what_is_through_changes_nothing():
    fit()
    before = read()
    fit(resume="last.ckpt")
    assert read() == before


def test_resuming_trains_the_epochs_that_are_missing():
    fit(max_epochs=1)
    fit(resume=EpochRecords("epochs.jsonl", checkpoint="last.ckpt").resume_from())
    resumed = read()
    assert [record["global_step"] for record in resumed] == [BATCHES, 2 * BATCHES, 3 * BATCHES]


class SavesFirst(pl.callbacks.Checkpoint):
    """Another callback's checkpoint, which comes before in the list, as it stands when it is on disk."""

    def __init__(self):
        self.recorded = []

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint("other.ckpt")
        self.recorded.append(recorded())


def test_the_record_comes_before_another_callbacks_checkpoint():
    other = SavesFirst()
    fit(callbacks=[other])
    assert other.recorded == [[0], [0, 1], [0, 1, 2]]


@pytest.fixture
def disk_full():
    """From this call on, no file of this process may grow: an OSError, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(module):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_record_that_cannot_be_written_is_an_error_of_fit(disk_full):
    with pytest.raises(OSError, match="File too large"):
        fit(Module({("validation", 1, VALIDATION_BATCHES - 1): disk_full}))
    assert recorded() == [0]
    assert done() == 1


def test_a_checkpoint_that_cannot_be_written_is_an_error_of_fit_and_the_epoch_runs_again():
    def refuse(module):
        os.mkdir(".unfinished.last.ckpt")

    with pytest.raises(OSError, match=r"unfinished\.last\.ckpt"):
        fit(Module({("validation", 1, 0): refuse}))
    assert recorded() == [0, 1]
    assert done() == 1
    shutil.rmtree(".unfinished.last.ckpt")
    fit(resume="last.ckpt")
    assert recorded() == [0, 1, 2]


class FailsAtTheEnd(pl.Callback):
    """Of epoch 1, before it is recorded; and saves a checkpoint because of that."""

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            fail(pl_module)

    def on_exception(self, trainer, pl_module, exception):
        trainer.save_checkpoint("emergency.ckpt")


def test_an_emergency_checkpoint_comes_after_the_record():
    with pytest.raises(RuntimeError, match=r"^the user's own$"):
        fit(callbacks=[FailsAtTheEnd()])
    assert recorded() == [0, 1]


def test_an_exception_is_not_hidden_by_a_record_that_cannot_be_written():
    def refuse(module):
        os.mkdir(".unfinished.epochs.jsonl")

    with (
        pytest.raises(RuntimeError, match=r"^the user's own$"),
        pytest.warns(UserWarning, match="epoch 1 is not recorded: .*Is a directory"),
    ):
        fit(Module({("validation", 1, 0): refuse}), callbacks=[FailsAtTheEnd()])
    assert recorded() == [0]


class CutAt(pl.Callback):
    """Saves a checkpoint in this hook of epoch 1, in or after this batch, and ends training."""

    def __init__(self, hook, batch):
        self.batch = batch
        setattr(self, hook, self.cut)

    def cut(self, trainer, *unused):
        if trainer.current_epoch == 1 and trainer.fit_loop.epoch_loop.batch_idx == self.batch:
            trainer.save_checkpoint("other.ckpt")
            fail(trainer.lightning_module)


LAST = BATCHES - 1
# Lightning 2.0 to 2.4 validates such an epoch; others do not, and from 2.5 on it may have no end either.
RESUMED_AT_ITS_END = {0: False, 1: True, 2: False} if (2, 0) <= VERSION < (2, 5) else {0: False, 2: False}


@pytest.mark.parametrize(
    ("hook", "batch", "expected"),
    [
        ("on_train_epoch_end", LAST, {0: False, 1: False, 2: False}),
        ("on_train_batch_end", 1, {0: False, 1: True, 2: False}),
        # Lightning then ends the epoch, with no figures, as it does not save them; 2.0 to 2.4 validate a batch before.
        ("on_validation_end", LAST, {0: False, 1: True, 2: False}),
        ("on_validation_start", LAST, RESUMED_AT_ITS_END),
        ("on_train_batch_end", LAST, RESUMED_AT_ITS_END),
    ],
)
def test_resuming_another_callbacks_checkpoint_records_what_is_complete(hook, batch, expected):
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(callbacks=[CutAt(hook, batch)])
    fit(resume="other.ckpt")
    assert {record["epoch"]: record["resumed"] for record in read()} == expected


def test_an_epoch_without_record_is_told_when_training_resumes():
    fit(max_epochs=2)
    EpochRecords("epochs.jsonl").file.drop_from(1)
    with pytest.warns(UserWarning, match=r"starts with epoch 2; epochs.jsonl has no record of \[1\]"):
        fit(resume="last.ckpt")
