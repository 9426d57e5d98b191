"""Strikes a rank in a hook of the second epoch: it is killed, raises, or is never through with it. A function for each,
called in a trial's process before anything else (`Trial.prelude`)."""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial

HOOKS = (
    "on_train_epoch_start", "on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_train_batch_end", "on_validation_start", "on_validation_epoch_start",
    "on_validation_batch_start", "on_validation_batch_end", "on_validation_epoch_end", "on_validation_end",
    "on_train_epoch_end",
)  # fmt: skip
RANKS = (0, 1)
EPOCH = 1
TOLD = "this rank ends here"


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ArithmeticError("of this rank")


def lag() -> None:
    threading.Event().wait()


def strike(hook: str, rank: int, what: Callable[[], None]) -> None:
    from changes import around
    from planting import hook_caller

    @around(hook_caller(), "_call_callback_hooks")
    def call(inner, trainer, hook_name, *args, **kwargs):
        here = (hook_name, trainer.global_rank, trainer.current_epoch) == (hook, rank, EPOCH)
        if here and not trainer.sanity_checking:
            print(TOLD, flush=True)
            what()
        return inner(trainer, hook_name, *args, **kwargs)


def name_of(hook: str, rank: int, what: Callable[[], None] = kill) -> str:
    return f"{what.__name__}_in_{hook}_of_rank_{rank}"


globals().update(
    {
        name_of(hook, rank, what): partial(strike, hook, rank, what)
        for hook in HOOKS
        for rank in RANKS
        for what in (kill, fail, lag)
    }
)
