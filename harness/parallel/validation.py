"""A module's own validation, by a Trainer of its own: what a worker does with every request.

The Trainer believes what it is told of the training: epoch, step, and where its loops are. So `self.current_epoch`, the
step that figures are logged at, and whatever else Lightning makes of them, are those of the epoch that is validated.
"""

import logging
import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.frameworks.lightning_package import pl
from harness.parallel.snapshot import put_plain_attributes
from harness.parallel.weights import Slots, digest, tensors_of

SANITY = -1  # in place of an epoch: a few batches, of which nothing is reported


@dataclass(frozen=True)
class Request:
    """What there is to know about an epoch, its weights aside.

    Attributes:
        epoch: or `SANITY`.
        loops: state of the Trainer's loops when sequential validation would begin.
        attributes: plain ones of the module and its children that training has changed, by path and name.
        extra_states: what `get_extra_state` of the module and its children gave, by path.
        seed: of all random generators.
    """

    epoch: int
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
        threads: that torch computes with; None for as many as it does.
        attributes: plain ones that the module and its children had when training began, by path and name.
    """

    arguments: Mapping[str, Any]
    sanity_batches: int
    callbacks: Callable[[], Sequence[Any]]
    threads: int | None
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


class Validation:
    """Of one module, which is this object's own: another process's, or a copy."""

    def __init__(self, module: Any, loaders: Any, slots: Slots, setting: Setting) -> None:
        if setting.threads is not None:
            torch.set_num_threads(setting.threads)
        # `fit` has set it up.
        module.setup = module.teardown = _nothing
        self._module = module
        self._attributes = setting.attributes
        self._loaders = loaders
        self._slots = slots
        self._told = _Told()
        self._tensors = tensors_of(module)
        self._trainer = self._make(setting, setting.arguments)
        self._sanity = self._make(setting, {**setting.arguments, "limit_val_batches": setting.sanity_batches})

    def _make(self, setting: Setting, arguments: Mapping[str, Any]) -> Any:
        return pl.Trainer(
            **arguments, callbacks=list(setting.callbacks()), logger=self._told, enable_progress_bar=False,
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
        trainer = self._trainer
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
        # The module may be that of another epoch: the one validated last here, or the one in which it was copied.
        put_plain_attributes(self._module, {**self._attributes, **request.attributes})
        children = dict(self._module.named_modules())
        for path, state in request.extra_states.items():
            children[path].set_extra_state(state)
        torch.manual_seed(request.seed)
        random.seed(request.seed)
        np.random.seed(request.seed)


def _nothing(*_: Any, **__: Any) -> None:
    pass


def quiet() -> None:
    """In a worker: the process that trains has said it all."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
