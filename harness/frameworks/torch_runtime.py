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
    """Whether a GPU can be used, why not, and its name. Starts the CUDA runtime, which does not survive a fork."""
    if torch.version.cuda is None:
        return {"available": False, "reason": f"torch {torch.__version__} is built without CUDA", "device": ""}
    if not torch.cuda.is_available():
        return {"available": False, "reason": "torch finds no CUDA device", "device": ""}
    return {"available": True, "reason": "", "device": torch.cuda.get_device_name(0)}


def warm_up() -> None:
    """Import what the first optimiser imports: it would cost every forked trial half a second."""
    with suppress(ImportError):
        importlib.import_module("torch._dynamo")
