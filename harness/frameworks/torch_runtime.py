"""What every adapter on torch asks of it before it trains: seeds, and whether there is a GPU."""

import importlib
import random
from contextlib import suppress
from typing import Any

import numpy as np
import torch


def seed_all(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def cuda() -> dict[str, Any]:
    """Whether a GPU can be used, why not, the name of the first, and how many there are. Starts the CUDA runtime, which
    does not survive a fork."""
    if torch.version.cuda is None:
        return _without_gpu(f"torch {torch.__version__} is built without CUDA")
    if not torch.cuda.is_available():
        return _without_gpu("torch finds no CUDA device")
    name = torch.cuda.get_device_name(0)
    return {"available": True, "reason": "", "device": name, "count": torch.cuda.device_count()}


def _without_gpu(reason: str) -> dict[str, Any]:
    return {"available": False, "reason": reason, "device": "", "count": 0}


def warm_up() -> None:
    """Import what the first optimiser imports: it would cost every forked trial half a second."""
    with suppress(ImportError):
        importlib.import_module("torch._dynamo")
