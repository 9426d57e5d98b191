"""Reads a history back, and groups its batches and reports by epoch."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import UsageError


@dataclass(frozen=True)
class Operation:
    """One line of a history; `line` counts from 1."""

    line: int
    f: str
    type: str
    stage: str | None
    epoch: int | None
    step: int | None
    batch: int | None
    value: Any
    fault: str | None
    t_ns: int
    rank: int
    process: int = 0


@dataclass(frozen=True)
class History:
    """The operations of one trial. `truncated` if the last line was cut off in the middle of being written."""

    operations: tuple[Operation, ...]
    truncated: bool = False

    def select(
        self, f: str, type: str | None = None, *, stage: str | None = None, epoch: int | None = None
    ) -> Iterator[Operation]:
        for operation in self._by_f.get(f, ()):
            if (
                (type is None or operation.type == type)
                and (stage is None or operation.stage == stage)
                and (epoch is None or operation.epoch == epoch)
            ):
                yield operation

    @cached_property
    def _by_f(self) -> dict[str, list[Operation]]:
        """Checkers ask for few of the operations, and often."""
        found: dict[str, list[Operation]] = {}
        for operation in self.operations:
            found.setdefault(operation.f, []).append(operation)
        return found

    def of_rank(self, rank: int) -> "History":
        return History(tuple(operation for operation in self.operations if operation.rank == rank), self.truncated)

    def first(self, f: str, type: str | None = None) -> Operation | None:
        return next(self.select(f, type), None)

    def epochs(self, stage: str) -> list[int]:
        """Epochs in which at least one batch of `stage` was completed, in order."""
        return list(dict.fromkeys(op.epoch for op in self.select("batch", "ok", stage=stage) if op.epoch is not None))


def read(path: str | Path) -> History:
    """Read a history; a cut-off last line is dropped, because that is what a killed process leaves.

    Raises:
        UsageError: unreadable, or not a history.
    """
    try:
        text = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the history {path}: {error}") from error
    lines = text.split("\n")
    truncated = lines.pop() != ""
    operations = []
    for number, line in enumerate(lines, 1):
        try:
            operations.append(_operation(number, json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}, line {number}, is not an operation of a history: {error!r}") from error
    return History(tuple(operations), truncated)


def _operation(line: int, data: dict[str, Any]) -> Operation:
    return Operation(
        line=line,
        f=data["f"],
        type=data["type"],
        stage=data["stage"],
        epoch=data["epoch"],
        step=data["step"],
        batch=data["batch"],
        value=data["value"],
        fault=data["fault"],
        t_ns=data["t_ns"],
        rank=data["rank"],
        process=data["process"],
    )


def abridged(path: str | Path, lines: Sequence[int], width: int = 200) -> list[tuple[int, str]]:
    """The given lines (counted from 1) as text for people, arrays left out and cut to `width` characters."""
    wanted = set(lines)
    shown = []
    try:
        with open(path, encoding="ascii") as file:
            for number, line in enumerate(file, 1):
                if number in wanted:
                    shown.append((number, _abridge(line)[:width]))
    except (OSError, ValueError):  # gone, or damaged: then there is nothing to show
        return []
    return shown


def _abridge(line: str) -> str:
    def short(value: Any) -> Any:
        if isinstance(value, dict):
            if "base64" in value:
                return f"{value['dtype']}{value['shape']}"
            return {key: short(item) for key, item in value.items()}
        if isinstance(value, list) and len(value) > 8:
            return [*value[:3], f"… {len(value)} in all"]
        return value

    try:
        data = json.loads(line)
    except ValueError:
        return line.strip()
    kept = {key: short(value) for key, value in data.items() if value is not None and key not in ("t_ns", "process")}
    return json.dumps(kept, ensure_ascii=False)
