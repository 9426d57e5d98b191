"""What a worker is made from: the module and its loaders, inherited by fork or pickled once, its weights never."""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from harness.frameworks.lightning_package import pl
from harness.parallel.validation import Setting, Validation, quiet
from harness.parallel.weights import Slots, tensors_of


@dataclass
class Forked:
    """Is called in a child that has everything already."""

    module: Any
    loaders: Callable[[], Any]
    slots: Slots
    setting: Setting

    def __call__(self) -> Validation:
        quiet()
        torch.set_num_threads(1)  # before anything computes: the threads of the process that was forked are not here
        return Validation(self.module, self.loaders(), self.slots, self.setting)


@dataclass
class Pickled:
    """Is sent to a process that knows nothing."""

    content: bytes
    slots: Slots
    threads: int

    def __call__(self) -> Validation:
        quiet()
        torch.set_num_threads(self.threads)
        module, loaders, setting = _Unpickler(io.BytesIO(self.content), self.slots).load()
        return Validation(module, loaders(), self.slots, setting)


def pickled(module: Any, loaders: Callable[[], Any], slots: Slots, setting: Setting, trainer: Any) -> Pickled:
    """Raises whatever pickling raises, where the module or the loaders cannot be pickled."""
    content = io.BytesIO()
    _Pickler(content, module, trainer).dump((module, loaders, setting))
    return Pickled(content.getvalue(), slots, setting.threads)


class _Pickler(pickle.Pickler):
    """Leaves out the Trainer, and of weights and buffers all but the name."""

    def __init__(self, file: Any, module: Any, trainer: Any) -> None:
        super().__init__(file)
        self._names = {id(tensor): name for name, tensor in tensors_of(module).items()}
        self._trainers = trainer, module.trainer  # the latter a proxy of the former in some versions

    def persistent_id(self, thing: Any) -> tuple[str, Any] | None:
        if any(thing is trainer for trainer in self._trainers):
            return "trainer", None
        if id(thing) in self._names:
            kind = "parameter" if isinstance(thing, torch.nn.Parameter) else "buffer"
            return kind, self._names[id(thing)]
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, slots: Slots) -> None:
        super().__init__(file)
        self._views = slots.views[0]

    def persistent_load(self, key: tuple[str, Any]) -> Any:
        kind, name = key
        if kind == "trainer":
            return None
        view = self._views[name].detach()  # whose `data` will be another slot's
        return torch.nn.Parameter(view, requires_grad=False) if kind == "parameter" else view


@dataclass
class OfHook:
    """Loaders by the `val_dataloader` of a module or a data module."""

    owner: Any

    def __call__(self) -> Any:
        return self.owner.val_dataloader()


@dataclass
class Given:
    """Loaders that `fit` was given."""

    loaders: Any

    def __call__(self) -> Any:
        return self.loaders


def _source(trainer: Any) -> Any:
    if hasattr(trainer._data_connector, "_val_dataloader_source"):  # before 2.0
        return trainer._data_connector._val_dataloader_source
    return trainer.fit_loop.epoch_loop.val_loop._data_source


def is_defined(trainer: Any) -> bool:
    """Whether `fit` was given validation loaders, by whichever way."""
    return bool(_source(trainer).is_defined())


def loaders_of(trainer: Any) -> Callable[[], Any]:
    """Where a Trainer has its validation loaders from; nothing is made yet."""
    source = _source(trainer).instance
    return OfHook(source) if isinstance(source, (pl.LightningModule, pl.LightningDataModule)) else Given(source)
