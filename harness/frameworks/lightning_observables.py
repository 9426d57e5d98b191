"""What a user notices of a training besides hooks and figures: draws, learning rates, and what each call to the Trainer
and each checkpoint came to."""

import multiprocessing
import random
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from harness.frameworks.callback_recording import recorded
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_position import Position
from harness.frameworks.lightning_recording import replace
from harness.frameworks.partition import Partition, unnoticed
from harness.frameworks.python_calls import Uncounted
from harness.frameworks.torch_recording import number
from harness.frameworks.trial_folder import TrialFolder
from harness.history.recorder import Recorder

CALLS = ("fit", "validate", "test", "predict")


def generators() -> dict[str, str]:
    """`crc32` of the state of each global random generator; drawing from one changes it, and this draws nothing.

    Less Python's own in a process that was forked as a rank: Python seeds it there by chance.
    """
    states = {"torch": torch.get_rng_state().numpy(), "numpy": np.random.get_state(legacy=False)}
    if multiprocessing.parent_process() is None:
        states["python"] = random.getstate()
    return {name: f"{zlib.crc32(_bytes(state)):08x}" for name, state in states.items()}


def _bytes(state: Any) -> bytes:
    if isinstance(state, dict):
        return b"".join(_bytes(each) for each in state.values())
    return state.tobytes() if isinstance(state, np.ndarray) else repr(state).encode()


def learning_rates(trainer: Any) -> list[list[float | str]]:
    """Of each parameter group of each optimizer."""
    return [[number(group.get("lr")) for group in optimizer.param_groups] for optimizer in trainer.optimizers]


class Pass:
    """Notes that Lightning begins to iterate over a loader: what else does, in the stage of another one, is a script's
    own doing. A copy of it notes nothing."""

    def __init__(self, stage: str, loader: int, recorder: Recorder, position: Position) -> None:
        self._stage, self._loader, self._recorder, self._position = stage, loader, recorder, position

    def __call__(self) -> None:
        stamp = self._position.stamp()
        stage = stamp.get("stage")
        if stage == self._stage or (stage, self._stage) == ("sanity", "validation"):
            self._recorder.write("loader", "info", {"loader": self._loader}, **{**stamp, "batch": None})

    def __reduce__(self) -> Any:
        return _nobody, ()


def _nobody() -> Any:
    return unnoticed


def record_passes(samplers: dict[str, list[Partition]], recorder: Recorder, position: Position) -> None:
    for stage, partitions in samplers.items():
        for loader, partition in enumerate(partitions):
            partition.begun = Pass(stage, loader, recorder, position)


def record_calls(trainer: Any, recorder: Recorder, position: Position) -> None:
    """Of `fit` and the like, with what a user finds on the Trainer after each; and of `save_checkpoint`."""
    folder = TrialFolder()
    for name in CALLS:
        _record_call(trainer, name, folder, recorder, position)

    def file(filepath: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        with Uncounted():
            return {"file": folder.name(filepath)}

    replace(trainer, "save_checkpoint", recorded(trainer.save_checkpoint, "checkpoint", recorder, position, file))


def _record_call(trainer: Any, name: str, folder: TrialFolder, recorder: Recorder, position: Position) -> None:
    def told(result: Any) -> dict[str, Any]:
        returned = {} if name == "fit" else {"returned": _figures(result)}
        return {**standing(trainer, folder), **returned}

    call = recorded(getattr(trainer, name), f"Trainer.{name}", recorder, position, told=told)

    def noted(*args: Any, **kwargs: Any) -> Any:
        if name != "fit":  # which has a hook at its start
            position.trainer, position.batch = trainer, None
        return call(*args, **kwargs)

    replace(trainer, name, noted)


def standing(trainer: Any, folder: TrialFolder) -> dict[str, Any]:
    """Where a Trainer stands after a call, as its attributes say; less those that this version does not have, and those
    that raise: Lightning may compute metrics when it is asked for them."""
    ask: dict[str, Callable[[], Any]] = {
        "global_step": lambda: trainer.global_step,
        "current_epoch": lambda: trainer.current_epoch,
        "interrupted": lambda: trainer.interrupted,
        "should_stop": lambda: trainer.should_stop,
        "status": lambda: getattr(trainer.state.status, "value", str(trainer.state.status)),
        "callback_metrics": lambda: _figures(trainer.callback_metrics),
        "logged_metrics": lambda: sorted(trainer.logged_metrics),
        "progress_bar_metrics": lambda: sorted(trainer.progress_bar_metrics),
        "checkpoints": lambda: [_kept(each, folder) for each in trainer.checkpoint_callbacks if _keeps(each)],
    }
    found: dict[str, Any] = {}
    for name, read in ask.items():
        with suppress(Exception):
            found[name] = read()
    files = folder.files()
    return found if files is None else {**found, "files": files}


def _keeps(callback: Any) -> bool:
    return isinstance(callback, pl.callbacks.ModelCheckpoint)


def _kept(checkpoint: Any, folder: TrialFolder) -> dict[str, Any]:
    score = checkpoint.best_model_score
    return {
        "best_model_path": folder.name(checkpoint.best_model_path),
        "best_model_score": None if score is None else number(score),
        "last_model_path": folder.name(checkpoint.last_model_path),
    }


def _figures(found: Any) -> Any:
    """Numbers as JSON holds them, by the names and in the lists that they came in."""
    if isinstance(found, dict):
        return {str(name): _figures(value) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_figures(value) for value in found]
    return None if found is None else number(found)
