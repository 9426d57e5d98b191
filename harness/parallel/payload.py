"""What a worker is made from: the module and its loaders, inherited by fork or pickled once, its weights never."""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from harness.frameworks.lightning_package import pl
from harness.parallel.memory import Memory
from harness.parallel.validation import Setting, Validation, quiet
from harness.parallel.weights import Slots, tensors_of


def _cudnn(name: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    return partial(getattr, torch.backends.cudnn, name), partial(setattr, torch.backends.cudnn, name)


# Of torch, for the whole process; figures depend on them.
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "float32_matmul_precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "deterministic": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    **{f"cudnn.{name}": _cudnn(name) for name in ("benchmark", "deterministic")},
}


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

    content: Memory  # and not a pipe, which would have the process that trains wait for this one's imports
    slots: Slots

    def __call__(self) -> Validation:
        return unpacked(self.content.read(0), self.slots)


def pickled(module: Any, loaders: Callable[[], Any], slots: Slots, setting: Setting, trainer: Any) -> Pickled:
    """Raises whatever pickling raises, where the module or the loaders cannot be pickled."""
    memory = Memory(1)
    memory.write(0, packed(module, loaders, setting, trainer))
    return Pickled(memory, slots)


# The module, its loaders and the setting, pickled; and what torch is set to.
Packed = tuple[bytes, dict[str, Any]]


def packed(
    module: Any, loaders: Callable[[], Any], setting: Setting, trainer: Any, pickler: type[pickle.Pickler] | None = None
) -> Packed:
    """Args:
    pickler: a `Pickler` of another kind.
    """
    content = io.BytesIO()
    (pickler or Pickler)(content, module, trainer).dump((module, loaders, setting))
    return content.getvalue(), {name: read() for name, (read, _) in SETTINGS.items()}


def unpacked(packed: Packed, slots: Slots) -> Validation:
    """In a process that knows nothing, whose own they are then, with the weights of a slot."""
    quiet()
    content, torch_settings = packed
    for name, value in torch_settings.items():
        SETTINGS[name][1](value)
    module, loaders, setting = _Unpickler(io.BytesIO(content), slots).load()
    torch.set_num_threads(setting.threads)
    return Validation(module, loaders(), slots, setting)


class LeavesOut:
    """Of a pickler: leaves out the Trainer, and of weights and buffers all but the name."""

    def __init__(self, file: Any, module: Any, trainer: Any) -> None:
        super().__init__(file)  # type: ignore[call-arg]  # which is a pickler's
        self._names = {id(tensor): name for name, tensor in tensors_of(module).items()}
        self._trainers = trainer, module.trainer  # the latter a proxy of the former in some versions

    def persistent_id(self, thing: Any) -> tuple[str, Any] | None:
        if any(thing is trainer for trainer in self._trainers):
            return "trainer", None
        if id(thing) in self._names:
            kind = "parameter" if isinstance(thing, torch.nn.Parameter) else "buffer"
            return kind, self._names[id(thing)]
        return None


class Pickler(LeavesOut, pickle.Pickler):
    pass


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, slots: Slots) -> None:
        super().__init__(file)
        self._views = slots.views[0]
        self._made: dict[str, Any] = {}

    def persistent_load(self, key: tuple[str, Any]) -> Any:
        kind, name = key
        if kind == "trainer":
            return None
        if name not in self._made:
            view = self._views[name].detach()  # whose `data` will be another slot's
            self._made[name] = torch.nn.Parameter(view, requires_grad=False) if kind == "parameter" else view
        return self._made[name]


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
