"""What Lightning must do, from 1.9 on: the documented order of its hooks, and what becomes of a training that fails.

What no documentation says is taken from the source: `trainer/call.py` (what ends a training), `loops/fit_loop.py`,
`training_epoch_loop.py` and `evaluation_loop.py` (when validation is due, who is told first that an epoch ends, where
SIGTERM is heeded), `callbacks/early_stopping.py` and `model_checkpoint.py` of 1.9.5, 2.0.9, 2.1.4, 2.2.5, 2.3.3, 2.4.0,
2.5.6 and 2.6.6.
"""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from harness.faults.fault import Fault
from harness.oracle.loops import AFTER, BEFORE, COMPLETES, HANGS, Cut, Ending, Loop, Order, Owner, Plan
from harness.workloads.schedule import limited

ORDER = Order(
    source="LightningModule, Hooks, pseudocode of fit_loop; Callback, on_exception (docs of 1.9.5 and 2.6.0)",
    start=("setup", "on_fit_start", "on_train_start"),
    epoch_start=("on_train_epoch_start",),
    batch={
        "train": ("on_train_batch_start", "on_train_batch_end"),
        "validation": ("on_validation_batch_start", "on_validation_batch_end"),
    },
    validation=(
        ("on_validation_start", "on_validation_epoch_start"),
        ("on_validation_epoch_end", "on_validation_end"),
    ),
    epoch_end=("on_train_epoch_end",),
    end=("on_train_end", "on_fit_end", "teardown", "finalize"),
    exception=("on_exception", "finalize"),
)
RAISES = {
    "exception": ("InjectedError",),
    "out_of_memory": ("OutOfMemoryError",),
    "labels_raise": (),
    "getitem_raises": ("InjectedError",),
    "worker_killed": ("RuntimeError",),
    "raises_before": ("InjectedError",),
    "raises_after": ("InjectedError",),
    "logger_raises": ("InjectedError",),
    "checkpoint_no_space": ("OSError", "RuntimeError"),
    "checkpoint_read_only": ("OSError", "FileNotFoundError", "PermissionError", "RuntimeError"),
    "sys_exit": ("SystemExit",),
}

DIES = {"kill": -signal.SIGKILL, "terminate": -signal.SIGTERM}


@dataclass(frozen=True)
class Rules:
    """What differs between versions.

    Attributes:
        monitors_last: early stopping and checkpoints are told of the end of a training epoch after the module.
        leaves_when_interrupted: Ctrl-C ends `fit` by `sys.exit`, and a second one is ignored by then; else `fit`
            returns as if it were through.
        terminates: SIGTERM ends the training in order, and not the process at once.
    """

    monitors_last: bool
    leaves_when_interrupted: bool
    terminates: bool

    @property
    def interrupted(self) -> Ending:
        return Ending("raises", ("SystemExit",), unchanged=False) if self.leaves_when_interrupted else COMPLETES


def rules(meets: Callable[[str], bool]) -> Rules:
    """Those of the version that is installed.

    Args:
        meets: whether a requirement such as `pytorch_lightning>=2.0` is met.
    """
    return Rules(
        monitors_last=meets("pytorch_lightning>=2.0"),
        leaves_when_interrupted=meets("pytorch_lightning>=2.4"),
        terminates=meets("pytorch_lightning>=2.0"),
    )


class LightningLoop(Loop):
    """Early stopping is taken to monitor a figure of validation; checkpoints, to be saved when training epochs end."""

    order = ORDER

    def __init__(self, plan: Plan, rules: Rules) -> None:
        super().__init__(plan)
        self._rules = rules
        self._says = dict(plan.batches)  # how many batches the loaders say they have
        self._terminated = False
        self._weights_are_nan = False
        self._validation_is_nan = False
        self._monitored = ""  # what early stopping sees: `finite`, `nan`, or nothing yet
        self._must_stop = False
        self._steps = self._saved_at = self._seen = 0

    def owners(self, hook: str) -> Iterator[Owner]:
        def of(*kinds: str) -> list[Owner]:
            return [owner for owner in self.plan.owners if owner.kind in kinds]

        if hook == "finalize":
            yield from of("logger")
        elif hook == "on_train_epoch_end" and self._rules.monitors_last:
            yield from [BEFORE, *of("callback"), AFTER, *of("module"), *of("monitor"), *of("checkpoint")]
        else:
            yield from [BEFORE, *of("callback", "monitor"), AFTER, *of("checkpoint"), *of("module")]

    def epoch(self, epoch: int) -> None:
        self._seen = 0
        for batch in self.passes_over("train", epoch):
            self.step("train", epoch, batch)
            self._seen += 1
            last = batch + 1 == self._says["train"] and not self._plans("never_ends", "train", epoch)
            if self.plan.validates(epoch) and (self.stopping or self._is_due(batch, last)):
                self.validate(epoch)
            if self._terminated and not last:
                self._end(("SIGTERMException",))
            if self.stopping or last:
                return

    def _plans(self, kind: str, stage: str, epoch: int | None = None) -> bool:
        return any(
            (each.kind, each.stage) == (kind, stage) and epoch in (None, each.epoch) for each in self.plan.faults
        )

    def _is_due(self, batch: int, last: bool) -> bool:
        """Whether validation follows a training batch (`training_epoch_loop.py`, `_should_check_val_fx`)."""
        if self._plans("never_ends", "train"):  # the loader cannot say how many batches it has
            return last
        return (batch + 1) % max(1, limited(self._says["train"], self.plan.schedule.validate_after)) == 0

    def after_epoch(self, epoch: int) -> None:
        if self._seen:  # else there is nothing to log (`logger_connector.py`, `log_metrics`)
            self.strike("log", "train", epoch)
        if self._terminated:
            self._end(("SIGTERMException",))

    def ahead(self, stage: str) -> int:
        """One where there is a worker to be killed, which has one batch at a time prepared."""
        return 1 if self._plans("worker_killed", stage) else 0

    def take(self, stage: str, epoch: int, batch: int) -> None:
        if self.came_wrong("batch_changes_shape", stage, epoch, batch):
            self._end(())
        if self.came_wrong("corrupt_sample", stage, epoch, batch):
            if stage == "train":
                self._weights_are_nan = True
            else:
                self._validation_is_nan = True
        if stage == "train":
            self._steps += 1

    def validate(self, epoch: int) -> None:
        self._validation_is_nan = False
        super().validate(epoch)

    def validated_batch(self, epoch: int, batch: int) -> bool:
        last = batch + 1 == self._says["validation"] and not self._plans("never_ends", "validation", epoch)
        if self._terminated and not last:
            self._end(("SIGTERMException",))
        return last

    def after_validation(self, epoch: int, batches: int) -> None:
        if batches:
            self.strike("log", "validation", epoch)
            self._monitored = "nan" if self._weights_are_nan or self._validation_is_nan else "finite"

    def called(self, owner: Owner, hook: str, epoch: int | None) -> None:
        if hook != "on_train_epoch_end":
            return
        # Nothing is saved twice at one step (`model_checkpoint.py`, `_should_skip_saving_checkpoint`).
        if owner.kind == "checkpoint" and self._steps != self._saved_at:
            self._saved_at = self._steps
            self.strike("save", "train", epoch)
        if owner.kind == "monitor":  # strict, and checking that figures are finite (docs, `EarlyStopping`)
            if not self._monitored:
                self._end(("RuntimeError",))
            if self._monitored == "nan" or self._must_stop:
                self.stopping = True

    def _end(self, exceptions: tuple[str, ...]) -> NoReturn:
        raise Cut(Ending("raises", exceptions), ORDER.exception)

    def effect(self, fault: Fault) -> None:
        kind = fault.kind
        if kind in RAISES:
            self._end(RAISES[kind])
        elif kind in ("stop_requested", "max_time"):
            self.stopping = True
        elif kind == "early_stopping":
            self._must_stop = True
        elif kind == "terminate" and self._rules.terminates:
            self._terminated = True
        elif kind == "interrupt" or (kind == "interrupt_twice" and self._rules.leaves_when_interrupted):
            raise Cut(self._rules.interrupted, ORDER.exception)
        elif kind == "interrupt_twice":
            raise Cut(Ending("raises", ("KeyboardInterrupt",)))
        elif kind in DIES:
            raise Cut(Ending("dies", status=DIES[kind]))
        elif kind == "os_exit":
            raise Cut(Ending("dies", status=fault.parameter("status")))
        elif kind == "hangs":
            raise Cut(HANGS)
        elif kind in ("length_too_long", "length_too_short"):
            self._says[fault.stage] += fault.parameter("by") * (1 if kind == "length_too_long" else -1)
        elif kind == "nan_loss":
            self._weights_are_nan = True
        elif kind == "returns_none":  # the optimizer does not step (docs, `training_step`)
            self._steps -= 1
        elif kind == "rank_raises":
            raise Cut(Ending("raises", ("ProcessRaisedException",), foreseen=False))
        elif kind == "rank_killed":
            raise Cut(Ending("raises", ("ProcessExitedException",), foreseen=False))
