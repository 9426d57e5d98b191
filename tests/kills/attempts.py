"""Trainings that are killed and resumed, each attempt in a process forked from one that has the framework imported.

``python attempts.py lightning`` reads requests and answers, a JSON line each; :class:`Attempts` is its other side.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events import Events, Kill

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Attempt:
    """What one attempt left behind.

    Attributes:
        status: 0 ended, 1 raised, negative the signal that killed it.
        told: what the training told while it ran: [`begin` or `complete`, epoch].
        events: how many there were, if it ended.
        recorded: epochs in the file, in its order, with their figures; None if it cannot be read.
        done: epochs that the checkpoint calls complete.
        damaged: why the file or the checkpoint cannot be read.
        files: names of all files in its folder.
        error: the traceback, if it raised.
    """

    status: int
    told: list[list[Any]]
    events: int
    recorded: list[list[Any]] | None
    done: int
    damaged: list[str]
    files: list[str]
    error: str


class Attempts:
    """Makes attempts in one framework; a context manager."""

    def __init__(self, framework: str) -> None:
        command = [sys.executable, str(HERE / "attempts.py"), framework]
        self._parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Attempts":
        return self

    def __exit__(self, *unused: object) -> None:
        self._parent.communicate()
        self._parent.__exit__(None, None, None)

    def make(self, kind: str, folder: Path, kill: Kill | None = None) -> Attempt:
        """Train in this folder, on from what is there."""
        killed = None if kill is None else [kill.at, kill.after_bytes]
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({"kind": kind, "folder": str(folder), "kill": killed}) + "\n")
        self._parent.stdin.flush()
        return Attempt(**json.loads(self._parent.stdout.readline()))


def _forked(folder: str, work: Callable[[Callable[..., None]], None]) -> tuple[int, list[list[Any]]]:
    """Do this work in a child, in this folder; its exit status, and what it told until it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.chdir(folder)
        # Lightning writes checkpoints there first, from 2.4 on.
        os.makedirs("tmp", exist_ok=True)
        tempfile.tempdir = os.path.abspath("tmp")

        def tell(*what: Any) -> None:
            os.write(writer, json.dumps(what).encode() + b"\n")

        status = 1
        try:
            work(tell)
            status = 0
        except BaseException:  # noqa: BLE001  # SystemExit too: all that it leaves is a traceback
            tell("error", traceback.format_exc())
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), told


def _answer(training: Any, kind: str, folder: str, kill: Kill | None) -> Attempt:
    def train(tell: Callable[..., None]) -> None:
        events = Events(kill)
        events.watch_files()
        training.train(kind, events.tick, tell)
        tell("events", events.count)

    def look(tell: Callable[..., None]) -> None:
        for name, read in (("recorded", training.recorded), ("done", training.epochs_done)):
            try:
                tell(name, read(kind))
            except Exception as error:  # noqa: BLE001  # whatever loading a cut-off file raises
                tell("damaged", f"{name}: {type(error).__name__}: {error}")

    status, told = _forked(folder, train)
    if status == 1:
        _forked(folder, training.start_over)
    looked, seen = _forked(folder, look)
    assert looked == 0, seen

    def of(name: str, lines: list[list[Any]], default: Any) -> Any:
        return next((value for key, value in lines if key == name), default)

    return Attempt(
        status=status,
        told=[line for line in told if line[0] in ("begin", "complete")],
        events=of("events", told, 0),
        recorded=of("recorded", seen, None),
        done=of("done", seen, 0),
        damaged=[value for key, value in seen if key == "damaged"],
        files=sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()),
        error=of("error", told, ""),
    )


def main() -> None:
    training = importlib.import_module(f"training_{sys.argv[1]}")
    for line in sys.stdin:
        request = json.loads(line)
        kill = None if request["kill"] is None else Kill(*request["kill"])
        answer = _answer(training, request["kind"], request["folder"], kill)
        print(json.dumps(vars(answer)), flush=True)


if __name__ == "__main__":
    main()
