"""How values stand in a history: JSON that keeps every bit.

JSON has neither NaN nor infinities nor arrays. Non-finite numbers become the strings ``"NaN"``,
``"Infinity"`` and ``"-Infinity"``; arrays become ``{"dtype", "shape", "base64"}`` of their raw bytes in
little-endian order. Writing numbers as text would cost a hundred times as much inside a training step.
"""

import base64
import binascii
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NAMES: dict[np.dtype[Any], str] = {}  # NumPy builds a type's name anew whenever it is asked for it


def encode_number(value: float) -> float | str:
    if value == value and abs(value) != math.inf:
        return value
    return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")


def decode_number(value: float | str) -> float:
    return float(value)


def encode_array(array: NDArray[Any], dtype: str = "") -> dict[str, Any]:
    """`dtype` names the precision that the numbers had, where NumPy has no such type (bfloat16, kept as
    float32, which holds every bfloat16 exactly)."""
    if sys.byteorder == "big":
        array = array.astype(array.dtype.newbyteorder("<"))
    stored = _NAMES.get(array.dtype) or _NAMES.setdefault(array.dtype, array.dtype.name)
    return {
        "dtype": dtype or stored,
        "stored": stored,
        "shape": array.shape,
        "base64": binascii.b2a_base64(array.tobytes(), newline=False).decode("ascii"),
    }


def decode_array(value: dict[str, Any]) -> NDArray[Any]:
    stored = np.dtype(value["stored"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(value["base64"]), dtype=stored).reshape(value["shape"])
