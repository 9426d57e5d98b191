"""What a worker on another node is made from: nothing of it rests on memory, files or a parent that processes share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torchmetrics

from harness.frameworks.lightning_package import NAME, pl
from harness.parallel.memory import Memory
from harness.parallel.payload import Packed, packed, unpacked
from harness.parallel.validation import Figures, Setting, Validation
from harness.parallel.weights import Slots


def computes_with(device: str) -> dict[str, str]:
    """What figures depend on to the bit, by name, as far as it is known."""
    processor = torch.cuda.get_device_name() if device == "gpu" else torch.backends.cpu.get_cpu_capability()
    versions = {"torch": torch.__version__, NAME: pl.__version__, "torchmetrics": torchmetrics.__version__}
    return {**versions, "numpy": np.__version__, "processor": processor}


@dataclass(frozen=True)
class Distant:
    """Is sent to a node that knows nothing; called there with the memory in which weights will come.

    Attributes:
        device: that is validated on, as a Trainer calls it.
        like: tensors without storage, of the names, shapes and dtypes of the weights.
    """

    device: str
    computes_with: Mapping[str, str]
    like: Mapping[str, torch.Tensor]
    packed: Packed

    def __call__(self, weights: Memory) -> "Received":
        """Raises RuntimeError: figures would not be those of the process that trains."""
        for name, here in computes_with(self.device).items():
            if here != self.computes_with[name]:
                raise RuntimeError(
                    f"a node has {name} {here}, and training {self.computes_with[name]}: figures could differ; "
                    "validate on nodes that are like it"
                )
        slots = Slots(self.like, 1)
        return Received(weights, slots, unpacked(self.packed, slots))


def distant(
    module: Any,
    loaders: Callable[[], Any],
    tensors: Mapping[str, torch.Tensor],
    setting: Setting,
    trainer: Any,
) -> Distant:
    """Raises whatever pickling raises, where the module or the loaders cannot be pickled.

    Args:
        tensors: weights and buffers, of which nothing but names, shapes and dtypes is sent.
    """
    from harness.parallel.by_value import ByValue  # which brings Ray along, and the other side does without

    device = setting.arguments["accelerator"]
    if device == "gpu":  # Ray shows a worker none but its own
        setting = replace(setting, arguments={**setting.arguments, "devices": [0]})
    like = {name: torch.empty_like(tensor, device="meta", requires_grad=False) for name, tensor in tensors.items()}
    return Distant(device, computes_with(device), like, packed(module, loaders, setting, trainer, ByValue))


class Received:
    """Validates weights that have come into memory, as they lie in a slot."""

    def __init__(self, memory: Memory, slots: Slots, validation: Validation) -> None:
        self._memory, self._slots, self._validation = memory, slots, validation

    def __call__(self, slot_and_request: tuple[int, bytes]) -> Figures:
        slot, _ = slot_and_request
        self._slots.whole(slot).copy_(torch.from_numpy(self._memory.read(slot)))
        return self._validation(slot_and_request)
