"""A module's own validation, by a Trainer of its own: what a worker does with every request.

The Trainer believes what it is told of the training: epoch, step, and where its loops are. So `self.current_epoch`, the
step that figures are logged at, and whatever else Lightning makes of them, are those of the epoch that is validated.
"""

import logging
import math
import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import RandomSampler

from harness.frameworks.lightning_package import pl
from harness.parallel.snapshot import put_plain_attributes
from harness.parallel.weights import Slots, digest, tensors_of

SANITY = -1  # in place of an epoch: a few batches, of which nothing is reported


@dataclass(frozen=True)
class Request:
    """What there is to know about an epoch, its weights aside.

    Attributes:
        epoch: or `SANITY`.
        turn: how many epochs were to be validated before it.
        loops: state of the Trainer's loops when sequential validation would begin.
        attributes: plain ones of the module and its children that training has changed, by path and name.
        extra_states: what `get_extra_state` of the module and its children gave, by path.
        seed: of all random generators.
    """

    epoch: int
    turn: int
    loops: Mapping[str, Any]
    attributes: Mapping[tuple[str, str], Any]
    extra_states: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Figures:
    """What Lightning made of a validation.

    Attributes:
        told: what loggers are told, in order: the figures, and the step.
        callback, progress_bar, logged: those of the Trainer's dictionaries of these names.
        digest: of the weights that were validated.
    """

    told: Sequence[tuple[Mapping[str, float], int | None]]
    callback: Mapping[str, Tensor]
    progress_bar: Mapping[str, Any]
    logged: Mapping[str, Tensor]
    digest: str


@dataclass(frozen=True)
class Setting:
    """Of a validation, the same in all epochs.

    Attributes:
        arguments: for the Trainer.
        sanity_batches: of each loader, validated before the first epoch; all of them if -1.
        callbacks: makes those of the worker's Trainer.
        workers: how many share the epochs.
        threads: that torch computes with in a worker.
        attributes: plain ones that the module and its children had when training began, by path and name.
    """

    arguments: Mapping[str, Any]
    sanity_batches: int
    callbacks: Callable[[], Sequence[Any]]
    workers: int
    threads: int
    attributes: Mapping[tuple[str, str], Any]


class _Told(pl.loggers.logger.Logger):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """Keeps what it is told, for the loggers of the process that trains."""

    name = version = None

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[tuple[Mapping[str, float], int | None]] = []

    @property
    def experiment(self) -> Any:
        raise AttributeError(
            "logger.experiment is in the process that trains, not in the one that validates: "
            "log figures by self.log, or leave ParallelValidation out"
        )

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.figures.append((dict(metrics), step))


class _StepsGoOn(pl.Callback):  # type: ignore[name-defined,misc]  # as above
    """What is logged per step of validation is so at the batches of all epochs, counted by loader."""

    turn = 0

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        loop = trainer.validate_loop
        before_2_0 = not hasattr(loop, "_seen_batches_per_dataloader")
        counts = loop.epoch_loop._dl_batch_idx if before_2_0 else loop._seen_batches_per_dataloader
        for loader, batches in enumerate(trainer.num_val_batches):
            if batches < math.inf:
                counts[loader] = self.turn * batches


class Validation:
    """Of one module, which is this object's own: another process's, or a copy."""

    def __init__(self, module: Any, loaders: Any, slots: Slots, setting: Setting) -> None:
        if setting.workers > 1:
            _check_order(loaders)
        # `fit` has set it up.
        module.setup = module.teardown = _nothing
        self._module = module
        module._metric_attributes = None  # Lightning knows metrics by their identity: copies are others
        # It may have been copied in the midst of an epoch later than those that it validates.
        put_plain_attributes(module, setting.attributes)
        self._attributes = setting.attributes
        self._trained: set[tuple[str, str]] = set()  # attributes that training has changed
        self._loaders = loaders
        self._slots = slots
        self._told = _Told()
        self._steps = _StepsGoOn()
        self._tensors = tensors_of(module)
        self._trainer = self._make(setting, setting.arguments)
        self._sanity = self._make(setting, {**setting.arguments, "limit_val_batches": setting.sanity_batches})

    def _make(self, setting: Setting, arguments: Mapping[str, Any]) -> Any:
        return pl.Trainer(
            **arguments, callbacks=[self._steps, *setting.callbacks()], logger=self._told, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip

    def __call__(self, slot_and_request: tuple[int, bytes]) -> Figures:
        """Validate the weights of a slot, as a pickled `Request` says.

        Raises:
            RuntimeError: the validation changed weights or buffers, with which sequential training would have gone on
                (seen on the CPU only, where the module has no copy of them).
        """
        slot, pickled = slot_and_request
        request: Request = pickle.loads(pickled)
        self._told.figures.clear()
        self._load(slot, request)
        if request.epoch == SANITY:
            self._sanity.validate(self._module, self._loaders, verbose=False)
            return Figures((), {}, {}, {}, "")
        weights, before = digest(self._tensors), self._slots.sum(slot)
        trainer, self._steps.turn = self._trainer, request.turn
        trainer.fit_loop.load_state_dict(dict(request.loops))
        trainer.validate(self._module, self._loaders, verbose=False)
        if self._slots.sum(slot) != before:
            raise RuntimeError(
                "validation changed weights or buffers of the module, which the training would have to go on with: "
                "leave this validation sequential"
            )
        return Figures(
            told=[*self._told.figures],
            callback={name: value.detach().cpu() for name, value in trainer.callback_metrics.items()},
            progress_bar=dict(trainer.progress_bar_metrics),
            logged={name: value.detach().cpu() for name, value in trainer.logged_metrics.items()},
            digest=weights,
        )

    def _load(self, slot: int, request: Request) -> None:
        views = self._slots.views[slot]
        for name, tensor in self._tensors.items():
            if tensor.device.type == "cpu":
                tensor.data = views[name]  # read where it is
            else:
                tensor.data.copy_(views[name])
        # What was validated last may be a later epoch.
        back = {key: self._attributes[key] for key in self._attributes.keys() & self._trained}
        put_plain_attributes(self._module, {**back, **request.attributes})
        self._trained |= request.attributes.keys()
        children = dict(self._module.named_modules())
        for path, state in request.extra_states.items():
            children[path].set_extra_state(state)
        torch.manual_seed(request.seed)
        random.seed(request.seed)
        np.random.seed(request.seed)


def _check_order(loaders: Any) -> None:
    for loader in loaders if isinstance(loaders, (list, tuple)) else [loaders]:
        if isinstance(getattr(loader, "sampler", None), RandomSampler):
            raise ValueError(
                "a validation loader shuffles, and each worker would draw an order of its own: use workers=1, or "
                "shuffle=False"
            )


def _nothing(*_: Any, **__: Any) -> None:
    pass


def quiet() -> None:
    """In a worker: the process that trains has said it all."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
