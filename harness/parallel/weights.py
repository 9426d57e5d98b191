"""Weights in memory that processes share: written once by the one that trains, read in place by those that validate.

The memory is a file without a name (`memfd_create`, Linux): the kernel gives it back when the last process is gone,
however it went. Nothing is ever left in /dev/shm.
"""

import hashlib
import mmap
import os
from collections.abc import Iterator, Mapping
from multiprocessing.reduction import DupFd
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 64  # bytes: a cache line, and enough for every dtype


def tensors_of(module: Any) -> dict[str, Tensor]:
    """Parameters and buffers by name, those that the state_dict leaves out too."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def digest(tensors: Mapping[str, Tensor]) -> str:
    """BLAKE2b of their names and contents, in hexadecimal."""
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in tensors.items():
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return found.hexdigest()


class Slots:
    """`count` copies of a set of tensors. May be handed to a process that is being started, by whatever method.

    Args:
        tensors: what each copy has the names, shapes and dtypes of.
    """

    def __init__(self, tensors: Mapping[str, Tensor], count: int) -> None:
        self.count = count
        self._layout: dict[str, tuple[torch.dtype, torch.Size, int]] = {}
        end = 0
        for name, tensor in tensors.items():
            self._layout[name] = tensor.dtype, tensor.shape, end
            end += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
        self._stride = max(end, ALIGNMENT)
        self._file = os.memfd_create("validation weights", os.MFD_CLOEXEC)
        os.ftruncate(self._file, count * self._stride)
        self._map()

    def _map(self) -> None:
        self._memory = mmap.mmap(self._file, self.count * self._stride)
        self._bytes = torch.frombuffer(self._memory, dtype=torch.uint8)
        self.views = [dict(self._views(slot)) for slot in range(self.count)]

    def _views(self, slot: int) -> Iterator[tuple[str, Tensor]]:
        for name, (dtype, shape, offset) in self._layout.items():
            start = slot * self._stride + offset
            content = self._bytes[start : start + shape.numel() * dtype.itemsize]
            yield name, content.view(dtype).view(shape)

    def whole(self, slot: int) -> Tensor:
        """The bytes of one copy, with what lies between its tensors."""
        return self._bytes[slot * self._stride : (slot + 1) * self._stride]

    def write(self, slot: int, tensors: Mapping[str, Tensor]) -> None:
        """One copy of each; it is there when this returns, from whichever device it came.

        Raises:
            ValueError: they are not those that there were at first, by name and shape.
        """
        planned = {(name, shape) for name, (_, shape, _) in self._layout.items()}
        others = planned ^ {(name, tensor.shape) for name, tensor in tensors.items()}
        if others:
            raise ValueError(
                f"{', '.join(sorted({name for name, _ in others}))}: parameters or buffers that are new, gone, or of "
                f"another shape than when training began; whoever validates beside it has no room for them: have them "
                f"from the start, in their final shape"
            )
        for name, view in self.views[slot].items():
            view.copy_(tensors[name].detach())

    def sum(self, slot: int) -> int:
        """Of the 64-bit words of a slot, modulo 2**64: ten times faster than a digest, and enough to see that something
        has been updated."""
        return int(self.whole(slot).view(torch.int64).sum())

    def __getstate__(self) -> dict[str, Any]:
        return {"count": self.count, "layout": self._layout, "stride": self._stride, "file": DupFd(self._file)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.count, self._layout, self._stride = state["count"], state["layout"], state["stride"]
        self._file = state["file"].detach()
        self._map()

    def close(self) -> None:
        """Give up the file; the memory goes when nobody has a view of it any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
