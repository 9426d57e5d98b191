"""JSON as people write it in files: a mistake is told with its line."""

import json
import re
from typing import Any

Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\n\r]*")


class MalformedError(ValueError):
    """What is wrong with a text, and where in it: line and column, counted from 1, as far as they are known."""

    def __init__(self, message: str, *place: int) -> None:
        super().__init__(message)
        self.place = place


def parse(text: str) -> Any:
    """Raises:
    MalformedError: it is not JSON, or says a thing twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_told_once)
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error.msg}", error.lineno, error.colno) from None
    except ValueError as error:
        raise MalformedError(str(error)) from None
    except RecursionError:
        raise MalformedError("nested too deeply") from None


def _told_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} is said twice of the same thing")
        found[key] = value
    return found


def line_of(text: str, path: Path) -> int:
    """The line in which the value at a path begins; that of the longest part of the path that there is."""
    decoder, at = json.JSONDecoder(), _skip(text, 0)
    for key in path:
        found = _child(text, at, key, decoder)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _child(text: str, at: int, key: str | int, decoder: json.JSONDecoder) -> int | None:
    """Where the member of an object or array begins that begins at `at`."""
    if text[at] not in "{[":
        return None
    is_object, index = text[at] == "{", 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        name: str | int = index
        if is_object:
            name, at = decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if name == key:
            return at
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
        index += 1
    return None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def written(path: Path) -> str:
    """A path as JSONPath has it: `$.faults[1].batch`."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
