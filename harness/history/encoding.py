"""How values stand in a history: JSON that keeps every bit.

JSON has neither NaN nor infinities nor arrays. Non-finite numbers become the strings ``"NaN"``,
``"Infinity"`` and ``"-Infinity"``; arrays become ``{"dtype", "shape", "base64"}`` of their raw bytes in
little-endian order. Writing numbers as text would cost a hundred times as much inside a training step.
"""

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_number(value: float) -> float | str:
    if value == value and abs(value) != math.inf:
        return value
    return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")


def decode_number(value: float | str) -> float:
    return float(value)


def encode_array(array: NDArray[Any], dtype: str = "") -> dict[str, Any]:
    """`dtype` names the precision that the numbers had, where NumPy has no such type (bfloat16, kept as
    float32, which holds every bfloat16 exactly)."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": dtype or array.dtype.name,
        "stored": array.dtype.name,
        "shape": list(array.shape),
        "base64": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def decode_array(value: dict[str, Any]) -> NDArray[Any]:
    stored = np.dtype(value["stored"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(value["base64"]), dtype=stored).reshape(value["shape"])
