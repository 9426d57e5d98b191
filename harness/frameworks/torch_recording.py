"""What is recorded of a torch module, whichever loop trains it."""

import zlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from harness.history.encoding import Json, encode_array, encode_number, encode_scalar


def number(value: Any) -> float | str:
    """A scalar as JSON holds it; anything else by what it is."""
    if isinstance(value, Tensor):
        return encode_number(float(value.item())) if value.numel() == 1 else f"tensor of shape {tuple(value.shape)}"
    return encode_scalar(value)


class Predictions:
    """What the observed forward pass returned since the last step began, encoded at once, before anything
    can change it in place.

    Args:
        aside: keeps a function out of what `torch.compile` makes of the module.

    Attributes:
        latest: what it returned last.
    """

    def __init__(self, module: Any, aside: Callable[[Any], Any] = lambda function: function) -> None:
        self.begin()
        self._note = aside(self._note_run)
        module.register_forward_hook(self)

    def begin(self) -> None:
        """A step does."""
        self.latest: Json | None = None
        self._runs, self._differ = 0, False

    @property
    def differing_runs(self) -> int:
        """How often it ran, if its results differ in a bit; 0 if they do not."""
        return self._runs if self._differ else 0

    def __reduce__(self) -> Any:
        """What a copy of the module, or a pickle of it, has in this place."""
        return _nobody, ()

    def __call__(self, module: Any, args: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            self._note(output)

    def _note_run(self, output: Tensor) -> None:
        before, self.latest = self.latest, encoded(output)
        self._runs += 1
        self._differ |= before not in (None, self.latest)


def encoded(tensor: Tensor) -> Json:
    if tensor.dtype is torch.bfloat16:
        return encode_array(tensor.float().numpy(force=True), "bfloat16")
    return encode_array(tensor.numpy(force=True))


def _nobody() -> Callable[..., None]:
    return _look_away


def _look_away(module: Any, args: Any, output: Any) -> None:
    pass


def checksums(module: Any) -> dict[str, int]:
    """`crc32` of all parameters: equal ones before and after an epoch say that nothing was learnt. `state_crc32` of all
    that a checkpoint would hold, such as the running statistics of batch norm, besides."""
    state = (value for value in module.state_dict().values() if isinstance(value, Tensor))
    return {"crc32": _crc32(module.parameters()), "state_crc32": _crc32(state)}


def _crc32(tensors: Iterable[Tensor]) -> int:
    crc32 = 0
    for tensor in tensors:
        crc32 = zlib.crc32(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy(), crc32)
    return crc32
