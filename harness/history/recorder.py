"""Writes a history: one JSON object a line, each with one unbuffered append, so a SIGKILL leaves a prefix."""

import json
import os
import time
from pathlib import Path
from typing import Any

from harness.history.encoding import Json, encode_text

_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


_now = time.monotonic_ns


class Recorder:
    """Appends operations to one file. Cheap enough to sit inside a training step (`harness/bench/recording.py`).

    Several processes may append to the same file: each line is one `write` to a file opened with O_APPEND,
    which the kernel keeps whole. A process that is forked from the one that made it writes nothing, unless it joins;
    nor does a copy of it, or a pickle.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._index = 0
        self._open(self._path, rank=0)
        self._place: tuple[object, ...] = ()
        self._place_text = ""

    def write(
        self,
        f: str,
        type: str,
        value: Any = None,
        *,
        text: Json | None = None,
        stage: str | None = None,
        epoch: int | None = None,
        step: int | None = None,
        batch: int | None = None,
        fault: str | None = None,
        rank: int | None = None,
    ) -> None:
        """Append one operation.

        Args:
            f: an identifier: a hook's name, or `batch`, `log`, `logger`, `callback_metrics`, `exit`, …
            type: `invoke`, `ok`, `fail`, or `info` (something seen, or an outcome that is not known).
            value: anything JSON can hold, numbers by `harness.history.encoding`.
            text: the value, where it is JSON already.
            rank: of several replicas in this process; None for this process's own.

        Raises:
            OSError: the line could not be written whole; no space is left, for example.
        """
        if os.getpid() != self._pid:
            return
        # Formatted by hand but for the value: a JSON encoder for the whole would take twice the time.
        place = (stage, epoch, step, batch)
        if place != self._place:
            self._place = place
            of_epoch, of_step, of_batch = ["null" if number is None else number for number in place[1:]]
            of_stage = "null" if stage is None else encode_text(stage)
            self._place_text = f'"stage":{of_stage},"epoch":{of_epoch},"step":{of_step},"batch":{of_batch}'
        told_value = text or ("null" if value is None else _encode(value))
        told_fault = "null" if fault is None else encode_text(fault)
        of_rank = self._rank if rank is None else rank
        data = (
            f'{{"i":{self._index},"t_ns":{_now()},{self._process},"rank":{of_rank},'
            f'"f":"{f}","type":"{type}",{self._place_text},'
            f'"value":{told_value},"fault":{told_fault}}}\n'
        ).encode()
        if os.write(self._file, data) != len(data):
            raise OSError(28, "No space left on device: an operation was written in part")
        self._index += 1

    def _open(self, path: Path, rank: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._pid = os.getpid()
        self._process = f'"process":{self._pid}'
        self._rank = rank

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pid": 0}

    def join(self, rank: int) -> None:
        """Go on in a process of its own, forked from the one that made this recorder, as one of several ranks.

        Rank 0 appends to the same file; every other rank to a file beside it, for `gather`.
        """
        os.close(self._file)
        self._open(self._path if rank == 0 else self._beside(rank), rank)

    def gather(self, ranks: int) -> None:
        """Append what the other ranks wrote, rank by rank, so that the same trial gives the same lines.

        Raises:
            OSError: it could not be written whole; then it stays in the files beside the history.
        """
        drop_cut_off_line(self._path)
        for rank in range(1, ranks):
            beside = self._beside(rank)
            if beside.exists():
                drop_cut_off_line(beside)
                lines = memoryview(beside.read_bytes())
                while lines:  # a full disk takes a part, and refuses the rest
                    lines = lines[os.write(self._file, lines) :]
                beside.unlink()

    def _beside(self, rank: int) -> Path:
        return self._path.with_name(f"{self._path.name}.rank{rank}")

    def close(self) -> None:
        os.close(self._file)


def drop_cut_off_line(path: Path) -> None:
    """Cut a history after its last whole line, so that what is appended stands in a line of its own."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
