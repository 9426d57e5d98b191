"""Ends a rank by SIGKILL, in a hook of the second epoch: a function for each hook and rank, called in a trial's process
before anything else (`Trial.prelude`)."""

import os
import signal
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


def kill(hook: str, rank: int) -> None:
    from changes import around
    from planting import hook_caller

    @around(hook_caller(), "_call_callback_hooks")
    def call(inner, trainer, hook_name, *args, **kwargs):
        here = (hook_name, trainer.global_rank, trainer.current_epoch) == (hook, rank, EPOCH)
        if here and not trainer.sanity_checking:
            print(TOLD, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(trainer, hook_name, *args, **kwargs)


def name_of(hook: str, rank: int) -> str:
    return f"{hook}_of_rank_{rank}"


globals().update({name_of(hook, rank): partial(kill, hook, rank) for hook in HOOKS for rank in RANKS})
