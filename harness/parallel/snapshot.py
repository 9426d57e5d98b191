"""What a validation looks at, as it is when an epoch has been trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torchmetrics import Metric

from harness.frameworks.lightning_package import pl
from harness.parallel.weights import tensors_of

PLAIN = (bool, int, float, str, type(None), torch.Tensor)
# Lightning's and torch's own; `training` above all.
NOT_OF_THE_USER = frozenset({*vars(torch.nn.Module()), *vars(pl.LightningModule())})


def plain_attributes(module: Any) -> dict[tuple[str, str], Any]:
    """Numbers, NumPy's too, strings, None, and tensors that are neither parameters nor buffers, which a module and its
    children hold, by path and name; those of torchmetrics aside. Tensors are copied, to the CPU."""
    return {
        (path, name): value.detach().cpu().clone() if isinstance(value, torch.Tensor) else value
        for path, child in module.named_modules()
        if not isinstance(child, Metric)
        for name, value in vars(child).items()
        if (type(value) in PLAIN or isinstance(value, np.generic)) and name not in NOT_OF_THE_USER
    }


def changed(before: Mapping[tuple[str, str], Any], now: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """Of plain attributes, those that are not what they were."""
    return {key: value for key, value in now.items() if key not in before or not _same(before[key], value)}


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def put_plain_attributes(module: Any, attributes: Mapping[tuple[str, str], Any]) -> None:
    """Those of `plain_attributes`, some or all."""
    children = dict(module.named_modules())
    for (path, name), value in attributes.items():
        present = getattr(children[path], name, None)
        setattr(children[path], name, value.to(present.device) if isinstance(present, torch.Tensor) else value)


def extra_states(module: Any) -> dict[str, Any]:
    """What `get_extra_state` gives, by path."""
    return {
        path: child.get_extra_state()
        for path, child in module.named_modules()
        if type(child).get_extra_state is not torch.nn.Module.get_extra_state
    }


def average_of(trainer: Any) -> Any:
    """Lightning's own callback that validates averaged weights, if it is there (2.6)."""
    kind = getattr(pl.callbacks, "WeightAveraging", None)
    return next((each for each in trainer.callbacks if kind is not None and isinstance(each, kind)), None)


def tensors_to_validate(trainer: Any, module: Any) -> dict[str, torch.Tensor]:
    """Those that sequential validation would see."""
    average = average_of(trainer)
    model = getattr(average, "_average_model", None)
    return tensors_of(module if model is None else model.module)


def loops_of(trainer: Any) -> dict[str, Any]:
    """Where the Trainer's loops are when the last batch is done, as sequential validation finds them. At the end of an
    epoch, when this is called, that batch has been counted among those that stepped."""
    state: dict[str, Any] = trainer.fit_loop.state_dict()
    state["state_dict"].pop("combined_loader", None)
    of_epoch = state["epoch_loop.state_dict"]
    of_epoch["_batches_that_stepped"] -= 1
    return state


def validates(trainer: Any) -> bool:
    """Whether Lightning would validate after the last batch that was trained: the epoch is whole, or training is to
    stop."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    whole = progress.is_last_batch or progress.current.ready >= trainer.num_training_batches
    return bool(whole or trainer.should_stop)
