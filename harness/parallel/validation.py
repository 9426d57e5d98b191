"""A module's own validation, by a Trainer of its own: what a worker does with every request.

The Trainer believes what it is told of the training: epoch, step, and where its loops are. So `self.current_epoch`, the
step that figures are logged at, and whatever else Lightning makes of them, are those of the epoch that is validated.
"""

import logging
import math
import os
import pickle
import random
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from socket import socketpair
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import RandomSampler
from torchmetrics import Metric

from harness.frameworks.lightning_package import pl
from harness.parallel.channel import Channel
from harness.parallel.snapshot import changed, plain_attributes, put_plain_attributes
from harness.parallel.weights import Slots, digest, tensors_of

# Of a module or data module, before `fit` trains: they are not to be done again.
DONE_BY_FIT = ("setup", "teardown", "prepare_data", "configure_model", "configure_sharded_model")
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
        kept: what of the module's attributes and metrics is not as it was before; a later validation may build on it.
    """

    told: Sequence[tuple[Mapping[str, float], int | None]]
    callback: Mapping[str, Tensor]
    progress_bar: Mapping[str, Any]
    logged: Mapping[str, Tensor]
    digest: str
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """Of a validation, the same in all epochs.

    Attributes:
        arguments: for the Trainer.
        sanity_batches: of each loader, validated before the first epoch; all of them if 1.0.
        training_batches: of an epoch.
        callbacks: makes those of the worker's Trainer.
        workers: how many share the epochs.
        threads: that torch computes with in a worker.
        attributes: plain ones that the module and its children had when training began, by path and name.
    """

    arguments: Mapping[str, Any]
    sanity_batches: float
    training_batches: float
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


class _IsSanityCheck(pl.Callback):  # type: ignore[name-defined,misc]  # as above
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        if not isinstance(getattr(type(trainer), "num_sanity_val_batches", None), property):  # before 2.0
            trainer.num_sanity_val_batches = trainer.num_val_batches
        trainer.sanity_checking = True


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
        for hook in DONE_BY_FIT:
            if getattr(type(module), hook, None) is not getattr(pl.LightningModule, hook, None):
                setattr(module, hook, nothing)
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
        self._setting = setting
        self._trainer = self._make(self._steps, *setting.callbacks())

    def _make(self, *callbacks: Any, **arguments: Any) -> Any:
        trainer = pl.Trainer(
            **{**self._setting.arguments, **arguments}, callbacks=list(callbacks), logger=self._told,
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip
        # As the module may ask for it.
        if hasattr(trainer.fit_loop, "max_batches"):
            trainer.fit_loop.max_batches = self._setting.training_batches
        else:  # before 2.0
            trainer.num_training_batches = self._setting.training_batches
        return trainer

    def __call__(self, slot_and_request: tuple[int, bytes]) -> Figures:
        """Validate the weights of a slot, as a pickled `Request` says.

        Raises:
            RuntimeError: the validation changed weights or buffers, with which sequential training would have gone on.
        """
        slot, pickled = slot_and_request
        request: Request = pickle.loads(pickled)
        self._told.figures.clear()
        self._load(slot, request)
        if request.epoch == SANITY:
            self._check_sanity()
            return Figures((), {}, {}, {}, "", ())
        tensors, weights, before = tensors_of(self._module), digest(tensors_of(self._module)), self._kept()
        trainer, self._steps.turn = self._trainer, request.turn
        trainer.fit_loop.load_state_dict(dict(request.loops))
        trainer.validate(self._module, self._loaders, verbose=False)
        if not self._has(tensors, slot, weights):
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
            kept=tuple(f"{path}.{name}".lstrip(".") for path, name in changed(before, self._kept())),
        )

    def _has(self, tensors: Mapping[str, Tensor], slot: int, weights: str) -> bool:
        """Whether the module has just the weights and buffers that it had."""
        now = tensors_of(self._module)
        if any(tensor.device.type != "cpu" for tensor in now.values()):  # Lightning has moved it, and made others
            return digest(now) == weights
        same = now.keys() == tensors.keys() and all(now[name] is tensor for name, tensor in tensors.items())
        return same and self._slots.sum(slot) == self._written

    def _kept(self) -> dict[tuple[str, str], Any]:
        """What a validation may leave to the next one, by path and name."""
        metrics = ((path, child) for path, child in self._module.named_modules() if isinstance(child, Metric))
        return {**plain_attributes(self._module), **{(path, "state"): each._update_count for path, each in metrics}}

    def _check_sanity(self) -> None:
        """Validate a few batches in a process that is forked for it, so that nothing of it stays in the module; the
        loaders' generators go on as if it had been here.

        Raises:
            RuntimeError: what was raised there, in words.
        """
        ours, theirs = socketpair()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, of a fork beside a thread
            child = os.fork()
        if child == 0:
            Channel(theirs).send(self._sane())
            os._exit(0)
        theirs.close()
        try:
            failure, states = Channel(ours).receive()
        except EOFError:
            failure, states = "the process that was forked for it died", []
        os.waitpid(child, 0)
        ours.close()
        if failure:
            raise RuntimeError(failure)
        for generator, state in zip(self._generators(), states, strict=True):
            generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))

    def _sane(self) -> tuple[str, list[bytes]]:
        """What went wrong, and the states of the loaders' generators then."""
        try:
            trainer = self._make(_IsSanityCheck(), limit_val_batches=self._setting.sanity_batches)
            trainer.validate(self._module, self._loaders, verbose=False)
        except BaseException:  # noqa: BLE001  # whatever it is, it is told
            return traceback.format_exc(), []
        return "", [bytes(generator.get_state().numpy()) for generator in self._generators()]

    def _generators(self) -> list[torch.Generator]:
        found = (getattr(loader, "generator", None) for loader in each_of(self._loaders))
        return [generator for generator in found if generator is not None]

    def _load(self, slot: int, request: Request) -> None:
        views, self._written = self._slots.views[slot], self._slots.sum(slot)
        for name, tensor in tensors_of(self._module).items():
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


def each_of(loaders: Any) -> list[Any]:
    """Those that a collection holds, however deep."""
    return list(tree_leaves(getattr(loaders, "iterables", loaders)))  # of a CombinedLoader


def _check_order(loaders: Any) -> None:
    samplers = (getattr(loader, "sampler", None) for loader in each_of(loaders))
    if any(isinstance(sampler, RandomSampler) for sampler in samplers):
        raise ValueError(
            "a validation loader shuffles, and each worker would draw an order of its own: use workers=1, or "
            "shuffle=False"
        )


def nothing(*_: Any, **__: Any) -> None:
    """In place of a hook."""


def quiet() -> None:
    """In a worker: the process that trains has said it all."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
