"""What is recorded of a torch module, whichever loop trains it."""

import zlib
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
    can change it in place."""

    def __init__(self, module: Any) -> None:
        self.latest: Json | None = None
        module.register_forward_hook(self._keep)

    def _keep(self, module: Any, args: Any, output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        if output.dtype is torch.bfloat16:
            self.latest = encode_array(output.float().numpy(force=True), "bfloat16")
        else:
            self.latest = encode_array(output.numpy(force=True))


def checksum(module: Any) -> int:
    """Of all parameters: equal ones before and after an epoch say that nothing was learnt."""
    crc32 = 0
    for parameter in module.parameters():
        crc32 = zlib.crc32(parameter.detach().cpu().contiguous().view(torch.uint8).numpy(), crc32)
    return crc32
