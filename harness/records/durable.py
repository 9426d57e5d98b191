"""A file of one JSON line an epoch, that a reader never finds half written.

The file is replaced as a whole: a temporary one beside it is written and flushed to disk, renamed over it, and the
folder is flushed (`man 2 rename`: who opens the name sees the old file or the new one, whole). That costs a rewrite an
epoch, of some hundred bytes for every epoch before.
"""

import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO


class DamagedRecords(ValueError):  # noqa: N818  # it names what is found
    """What stands in the file was not written by :class:`EpochFile`; the message names the file and the line."""


def unfinished(path: str | os.PathLike[str]) -> Path:
    """Where what is to take the place of `path` is written: beside it, always under the same name.

    So what a killed writer leaves is overwritten by the next, and there is never more than one.
    """
    path = Path(path)
    return path.with_name(f".unfinished.{path.name}")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to, :func:`unfinished`; at the end of the block it takes the place of `path`, durably.

    The folder of `path` is made if there is none. Only one process at a time may replace `path`.

    Raises:
        OSError: nothing was replaced, and nothing unfinished is left, unless the folder could not be flushed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = unfinished(path)
    try:
        yield written
        _flush(written)
        os.replace(written, path)
    except BaseException:
        # Also on Ctrl-C; and a full disk gets its space back.
        with suppress(OSError):
            written.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def replace_with(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Let `write` write the file that takes the place of `path`; see :func:`replacing`."""
    with replacing(path) as written, written.open("wb") as file:
        write(file)


class EpochFile:
    """At most one record an epoch, in the order of epochs.

    A record is a dictionary with an integer `epoch`, and whatever else JSON can hold. Floats come back to the last
    bit; NaN and infinities, which JSON does not have, stand in the file as the strings `"nan"`, `"inf"` and `"-inf"`
    and are floats again when read, so that a string with that value does too.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read(self) -> list[dict[str, Any]]:
        """The records; none if there is no file.

        Raises:
            DamagedRecords: a line is cut off or is no record, or an epoch stands there twice.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except UnicodeDecodeError as error:
            raise DamagedRecords(f"{self.path}: {error}") from error
        records: dict[int, dict[str, Any]] = {}
        for number, line in enumerate(lines, start=1):
            try:
                record = _with_floats(json.loads(line))
                epoch = record["epoch"]
            except (ValueError, TypeError, KeyError) as error:
                raise DamagedRecords(f"{self.path}, line {number}: not the record of an epoch: {line!r}") from error
            if not line.endswith("\n"):
                raise DamagedRecords(f"{self.path}, line {number}: cut off: {line!r}")
            if epoch in records:
                raise DamagedRecords(f"{self.path}, line {number}: a second record of epoch {epoch}")
            records[epoch] = record
        return list(records.values())

    def put(self, record: dict[str, Any]) -> None:
        """Add a record, in place of that of the same epoch if there is one; on disk when this returns.

        Raises:
            OSError: it is not; the file holds what it held before.
            DamagedRecords: as of :meth:`read`; nothing is written.
        """
        others = [other for other in self.read() if other["epoch"] != record["epoch"]]
        self._write([*others, record])

    def start_at(self, epoch: int) -> None:
        """Make the file that of a training which goes on with this epoch: no record of it, or of any later one.

        Warns if an earlier epoch has no record: then it was not complete, or training goes on from a checkpoint that
        something else has saved.
        """
        self.drop_from(epoch)
        unfinished(self.path).unlink(missing_ok=True)
        missing = sorted(set(range(epoch)) - {record["epoch"] for record in self.read()})
        if missing:
            warnings.warn(f"training starts with epoch {epoch}; {self.path} has no record of {missing}", stacklevel=3)

    def drop_from(self, epoch: int) -> None:
        """Remove the records of this epoch and all later ones; raises as :meth:`put` does."""
        records = self.read()
        earlier = [record for record in records if record["epoch"] < epoch]
        if len(earlier) < len(records):
            self._write(earlier)

    def _write(self, records: Iterable[dict[str, Any]]) -> None:
        ordered = sorted(records, key=lambda record: record["epoch"])
        text = "".join(json.dumps(_without_special_floats(record), allow_nan=False) + "\n" for record in ordered)
        replace_with(self.path, lambda file: file.write(text.encode()))


def _flush(path: Path) -> None:
    """What is written to this file, or the names in this folder, are on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_special_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_special_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_special_floats(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _with_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_floats(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value
