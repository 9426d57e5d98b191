"""EarlyStopping and ModelCheckpoint, told of an epoch when its validation is known, and as the Trainer stood then.

What they decide is what they decide after sequential validation: their own code runs, in the order of the epochs, with
the figures, epoch and step of the epoch, and saves what training had when the epoch ended.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.frameworks.lightning_package import pl
from harness.parallel.validation import nothing

KINDS = (pl.callbacks.EarlyStopping, pl.callbacks.ModelCheckpoint)
VALIDATED, TRAINED, ENDED = "on_validation_end", "on_train_epoch_end", "on_train_end"  # in the order of their coming


@dataclass(frozen=True)
class Moment:
    """The end of an epoch.

    Attributes:
        steps: what `trainer.callback_metrics` had of training when its validation was due.
        metrics: what it had when the epoch ended.
        folder: where what training had is saved; None if nobody keeps checkpoints.
    """

    epoch: int
    step: int
    steps: Mapping[str, Any]
    metrics: Mapping[str, Any]
    folder: Path | None

    def save(self, trainer: Any, weights_only: set[bool]) -> None:
        if self.folder is not None:
            for only in weights_only:
                # Not `save_checkpoint`, which may do it in the background, or in a format of its own.
                torch.save(trainer._checkpoint_connector.dump_checkpoint(only), self.saved(only))

    def saved(self, weights_only: bool) -> Path:
        assert self.folder is not None
        return self.folder / ("weights.ckpt" if weights_only else "training.ckpt")

    def forget(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class _TrainerThen:
    """The Trainer, but for what has changed since the end of an epoch."""

    def __init__(self, late: "Late", moment: Moment) -> None:
        vars(self).update(
            _late=late, _moment=moment,
            current_epoch=moment.epoch, global_step=moment.step, callback_metrics=dict(late.metrics),
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._late.trainer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._late.trainer, name, value)

    def save_checkpoint(self, filepath: Any, weights_only: bool | None = None, storage_options: Any = None) -> None:
        """What was saved then, with the states that the callbacks which were held back have now."""
        checkpoint = torch.load(self._moment.saved(bool(weights_only)), map_location="cpu", weights_only=False)
        if not weights_only:
            states = {callback.state_key: callback.state_dict() for callback in self._late.held}
            checkpoint["callbacks"].update({key: state for key, state in states.items() if state})
        self._late.trainer.strategy.save_checkpoint(checkpoint, filepath, storage_options=storage_options)


class Late:
    """Holds back the callbacks of a Trainer that look at validation, and lets them go on epoch by epoch.

    Args:
        ended: called when the first of them would be told that an epoch has ended: the module's own hook has run.

    Attributes:
        metrics: what callbacks find, as of the epoch that they were told of last.
    """

    def __init__(self, trainer: Any, module: Any, ended: Callable[[], None]) -> None:
        self.trainer = trainer
        self.metrics: dict[str, Any] = {}
        self._stopped: int | None = None
        self.held = [callback for callback in trainer.callbacks if isinstance(callback, KINDS)]
        self._module = module
        self._last: Moment | None = None  # that they were told of
        hooks = VALIDATED, TRAINED, ENDED
        self._hooks = [{name: getattr(callback, name) for name in hooks} for callback in self.held]
        self._own = [{name: vars(callback).get(name) for name in hooks} for callback in self.held]
        for callback in self.held:
            callback.on_validation_end = callback.on_train_end = nothing
            callback.on_train_epoch_end = lambda *_: ended()

    @property
    def kept(self) -> set[bool]:
        """Of the checkpoints that may have to be saved late: whether they are to hold weights only."""
        return {bool(each.save_weights_only) for each in self.held if isinstance(each, pl.callbacks.ModelCheckpoint)}

    def folder(self) -> Path | None:
        """Beside the checkpoints, so that what waits is on the same disk; None if they are kept elsewhere."""
        keeps = next(each for each in self.held if isinstance(each, pl.callbacks.ModelCheckpoint))
        folder = str(keeps.dirpath or self.trainer.default_root_dir)
        if "://" in folder:
            return None
        Path(folder).mkdir(parents=True, exist_ok=True)
        return Path(folder)

    @property
    def last_epoch(self) -> int | None:
        """The one after which training was to stop, as one of them has asked; None if none has."""
        return None if self._stopped is None else max(self._stopped, (self.trainer.min_epochs or 0) - 1)

    def beyond(self, epoch: int) -> bool:
        """Whether training would not have come to an epoch, had it stopped when it was to."""
        return self.last_epoch is not None and epoch > self.last_epoch

    def tell(self, moment: Moment, validation: Mapping[str, Any] | None, *, lost: bool) -> None:
        """Of an epoch; of none after the one at which training would have stopped.

        Args:
            validation: what it brought to `callback_metrics`; None where the epoch was not validated.
            lost: it was to be, and there is no figure: whoever looks for one is not told of this epoch.
        """
        if self.beyond(moment.epoch):
            moment.forget()
            return
        if self._last is not None:
            self._last.forget()
        self._last = moment
        stopping = self.trainer.should_stop
        if validation is not None:
            self.metrics.update(moment.steps)
            self.metrics.update(validation)
            self._call(VALIDATED, moment, lost)
        self.metrics.update(moment.metrics)
        self._call(TRAINED, moment, lost)
        if self.trainer.should_stop and not stopping:
            self._stopped = moment.epoch

    def _call(self, hook: str, moment: Moment, lost: bool) -> None:
        then = _TrainerThen(self, moment)
        for callback, hooks in zip(self.held, self._hooks, strict=True):
            if not lost or callback.monitor is None or callback.monitor in moment.metrics:
                hooks[hook](then, self._module)

    def end(self) -> None:
        """Training has gone on beyond the last epoch that they were told of, with which it was to end."""
        if self._last is not None:
            self._call(ENDED, self._last, lost=False)

    def let_go(self) -> None:
        """They are called by Lightning again."""
        for callback, own in zip(self.held, self._own, strict=True):
            for name, method in own.items():
                vars(callback).pop(name, None)
                if method is not None:
                    setattr(callback, name, method)
