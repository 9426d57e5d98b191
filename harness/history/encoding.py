"""How values stand in a history: JSON that keeps every bit.

JSON has neither NaN nor infinities nor arrays. Non-finite numbers become the strings ``"NaN"``,
``"Infinity"`` and ``"-Infinity"``; arrays become ``{"dtype", "shape", "base64"}`` of their raw bytes in
little-endian order. Writing numbers as text would cost a hundred times as much inside a training step.
"""

import base64
import binascii
import json
import math
from functools import lru_cache
from typing import Any, NewType

import numpy as np
from numpy.typing import NDArray


def encode_number(value: float) -> float | str:
    if value == value and abs(value) != math.inf:
        return value
    return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")


def encode_scalar(value: Any) -> float | str:
    """Of Python or NumPy, as JSON holds it; anything else by what it is."""
    if isinstance(value, (bool, int, float, np.integer, np.floating)):
        return encode_number(float(value))
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of shape {tuple(shape)}"


def decode_number(value: float | str) -> float:
    return float(value)


Json = NewType("Json", str)  # text that is JSON already


encode_text = lru_cache(maxsize=1024)(json.dumps)  # the few names that histories repeat


def encode_figure(name: str, value: float | str, options: tuple[tuple[str, bool | int | str], ...] = ()) -> Json:
    """A figure by its name, as `log` was given it; `value` by `encode_number`."""
    number = value if isinstance(value, float) else encode_text(value)
    return Json(f'{{"name":{encode_text(name)},"value":{number}{_options(options)}}}')


@lru_cache(maxsize=1024)
def _options(options: tuple[tuple[str, bool | int | str], ...]) -> str:
    return "".join(f",{json.dumps(key)}:{json.dumps(option)}" for key, option in options)


def encode_array(array: NDArray[Any], dtype: str = "") -> Json:
    """An array as it stands in a history; built as text, because it is most of what a history holds.

    `dtype` names the precision that the numbers had, where NumPy has no such type (bfloat16, kept as
    float32, which holds every bfloat16 exactly)."""
    head, little_endian = _head(array.dtype, array.shape, dtype)
    raw = array.tobytes() if little_endian else array.astype(array.dtype.newbyteorder("<")).tobytes()
    return Json(f'{head}"base64":"{binascii.b2a_base64(raw, newline=False).decode()}"}}')


@lru_cache(maxsize=1024)
def _head(stored: np.dtype[Any], shape: tuple[int, ...], dtype: str) -> tuple[str, bool]:
    """All that comes before the bytes, and whether these are in little-endian order already."""
    text = f'{{"dtype":"{dtype or stored.name}","stored":"{stored.name}","shape":{list(shape)},'
    return text, stored == stored.newbyteorder("<")


def encode_batch(
    ids: tuple[int, ...], outputs: Json | None, targets: Json | None = None, differing_runs: int = 0
) -> Json:
    """A batch as a step completed it: sample ids, and what the model gave for them last, by `encode_array`; their
    targets, if no workload has them; and how often the model ran, if it did not give the same each time."""
    own = f',"targets":{targets}' if targets else ""
    several = f',"differing_runs":{differing_runs}' if differing_runs else ""
    return Json(f'{{"ids":{_encode_ids(ids)},"outputs":{outputs or "null"}{own}{several}}}')


@lru_cache(maxsize=4096)
def _encode_ids(ids: tuple[int, ...]) -> str:
    """The same batches come back every epoch, so their text is kept."""
    return str(list(ids))


def decode_array(value: dict[str, Any]) -> NDArray[Any]:
    stored = np.dtype(value["stored"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(value["base64"]), dtype=stored).reshape(value["shape"])


def encode_error(error: BaseException) -> dict[str, str]:
    """The class and message of an exception, to be told from another's."""
    return {"exception": type(error).__name__, "message": str(error)}
