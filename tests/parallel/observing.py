"""Fits that are observed from outside, each in a session of its own, forked from a process that has everything
imported.

``python observing.py`` reads requests and answers, a JSON line each; :class:`Observer` is its other side.
"""

import atexit
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from mishaps import ENDS, Mishap, note, noted

HERE = Path(__file__).parent
# How long nothing may run in a fit, its own limits aside. Whoever wants to run and cannot is not at rest.
REST_S = 1.0
# For processes that are to end with the one that trains, and that run: it takes each one signal.
END_S = 10.0


@dataclass(frozen=True)
class Strike:
    """A signal from outside, so many seconds after the fit began.

    Attributes:
        at: `worker`: one of the processes that validate, drawn by `seed`; `main`, or `group`: its process group.
    """

    seconds: float
    at: str
    signal: int = signal.SIGKILL
    seed: int = 0


@dataclass(frozen=True)
class Observed:
    """What a fit told, did, and left behind.

    Attributes:
        told: lines, in order: what, and more; see :func:`fits.run`. `children`: how many processes there still were
            when the fit returned; `raised` with the kind and the message; `end` once the interpreter may exit.
        status: of the process that trained; negative the signal that killed it. None if it had to be ended.
        seconds: it took.
        processes: that were left when the process that trained was gone, by name.
        files: that were left, in shared memory or in its temporary folder.
        mishaps: that happened: process, what, and when by `time.monotonic`.
    """

    told: list[list[Any]]
    status: int | None
    seconds: float
    processes: list[str]
    files: list[str]
    mishaps: list[dict[str, Any]] = field(default_factory=list)

    def all(self, what: str) -> list[list[Any]]:
        return [line[1:] for line in self.told if line[0] == what]

    def one(self, what: str, default: Any = None) -> Any:
        return next((line[0] for line in self.all(what)), default)

    @property
    def hung(self) -> bool:
        return self.status is None

    @property
    def raised(self) -> str:
        return next((": ".join(line) for line in self.all("raised")), "")

    @property
    def noticed(self) -> list[float]:
        """For each death that was told of: seconds since the signal that killed it."""
        killed = {mishap["pid"]: mishap["time"] for mishap in self.mishaps if mishap["what"] == "kill"}
        return [time - killed[pid] for pid, _, time in self.one("deaths", []) if pid in killed]


class Observer:
    """Runs fits; a context manager."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", str(HERE / "observing.py")]
        # What a fork server imports before it forks is looked for there only.
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._parent = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._references: dict[str, Observed] = {}

    def __enter__(self) -> "Observer":
        return self

    def __exit__(self, *unused: object) -> None:
        self._parent.communicate()
        self._parent.__exit__(None, None, None)

    def observe(self, kind: str, strikes: Sequence[Strike] = (), **fit: Any) -> Observed:
        """Run such a :class:`fits.Fit`."""
        mishaps = [asdict(mishap) for mishap in fit.pop("mishaps", ())]
        return self._ask({"kind": kind, "mishaps": mishaps, **fit}, [asdict(strike) for strike in strikes])

    def reference(self, **fit: Any) -> Observed:
        """What :attr:`fits.Fit.reference` does; run once."""
        ends = [asdict(mishap) for mishap in fit.get("mishaps", ()) if mishap.what in ENDS]
        kept = {key: value for key, value in fit.items() if key in ("epochs", "trainer", "big")}
        asked = {"kind": "sequential", "mishaps": ends, **kept}
        key = json.dumps(asked, sort_keys=True)
        if key not in self._references:
            self._references[key] = self._ask(asked, [])
        return self._references[key]

    def _ask(self, fit: Mapping[str, Any], strikes: Sequence[Mapping[str, Any]]) -> Observed:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({"fit": fit, "strikes": strikes}) + "\n")
        self._parent.stdin.flush()
        return Observed(**json.loads(self._parent.stdout.readline()))


def _fork(folder: Path, work: Callable[[Callable[..., None]], None]) -> tuple[int, int]:
    """Do this in a child with a session of its own, in this folder; its process, and where it tells; the child is
    about to begin."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        os.read(reader, 1)
        return child, reader
    os.setsid()
    os.close(reader)
    os.chdir(folder)
    tempfile.tempdir = str(folder / "tmp")
    os.environ["TMPDIR"] = tempfile.tempdir
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, name in enumerate(("/dev/null", "stdout", "stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), stream)

    def tell(*what: Any) -> None:
        data = json.dumps(what).encode() + b"\n"
        while data:
            data = data[os.write(writer, data) :]

    os.write(writer, b".")
    try:
        work(tell)
    except BaseException as error:  # noqa: BLE001  # SystemExit and KeyboardInterrupt too
        tell("raised", type(error).__name__, str(error))
    tell("children", len(_of_session(os.getpid())) - 1)
    atexit._run_exitfuncs()  # where processes that are still there are joined
    tell("end")
    os._exit(0)


def _of_session(session: int) -> list[int]:
    """Its processes that live."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(name))
    return found


class _Rest:
    """Whether nothing of a session has run, or wanted to, for some seconds of looking at it."""

    def __init__(self, session: int, seconds: float) -> None:
        self._session, self._seconds = session, seconds
        self._since, self._seen = time.monotonic(), None

    def has_come(self) -> bool:
        now = self._activity()
        if now is None or now != self._seen:
            self._since, self._seen = time.monotonic(), now
        return time.monotonic() > self._since + self._seconds

    def _activity(self) -> Any:
        """Something that stays equal as long as nothing runs; None while something wants to."""
        found = []
        for process in _of_session(self._session):
            for task in Path(f"/proc/{process}/task").glob("*"):
                try:
                    content = (task / "status").read_text()
                except OSError:
                    return None
                lines = dict(line.split(":", 1) for line in content.splitlines())
                if lines["State"].split()[0] not in "ST":
                    return None
                found.append((task.name, lines["voluntary_ctxt_switches"], lines["nonvoluntary_ctxt_switches"]))
        return sorted(found)


def _observe(fit: Any, strikes: Sequence[Strike]) -> Observed:
    import fits

    from harness.engine.leftovers import Leftovers

    folder = Path(tempfile.mkdtemp(prefix="fit-"))
    (folder / "tmp").mkdir()
    leftovers = Leftovers([str(folder / "tmp")])
    rest_s = REST_S + sum(fit.options.get(limit) or 0 for limit in ("time_limit", "drain_limit"))
    child, reader = _fork(folder, lambda tell: fits.run(fit, tell))
    began = time.monotonic()
    told, hung = _follow(child, reader, [*strikes], rest_s, began, folder)
    seconds = time.monotonic() - began
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    lines = [json.loads(line) for line in told.splitlines() if line.endswith(b"]")]
    processes = _left(child)
    mishaps = noted(folder)
    files = leftovers.remove()
    shutil.rmtree(folder)
    return Observed(lines, None if hung else os.waitstatus_to_exitcode(status), seconds, processes, files, mishaps)


def _follow(
    child: int, reader: int, strikes: list[Strike], rest_s: float, began: float, folder: Path
) -> tuple[bytes, bool]:
    """Read what it tells, and strike, until it is gone, or at rest; the latter is what is told last."""
    told = b""
    gone = os.pidfd_open(child)
    rest = _Rest(child, rest_s)
    strikes.sort(key=lambda strike: strike.seconds)
    try:
        while True:
            due = strikes[0].seconds + began - time.monotonic() if strikes else rest_s / 4
            ready, _, _ = select.select([reader, gone], [], [], min(max(due, 0), rest_s / 4))
            if reader in ready:
                told += (data := os.read(reader, 1 << 20))
                if not data and gone not in ready:
                    wait([gone])
                if data:
                    continue
            if gone in ready:
                return told, False
            if strikes and strikes[0].seconds + began <= time.monotonic():
                _strike(child, strikes.pop(0), folder)
            if rest.has_come():
                return told, True
    finally:
        os.close(reader)
        os.close(gone)


def _strike(child: int, strike: Strike, folder: Path) -> None:
    what = "kill" if strike.signal == signal.SIGKILL else signal.Signals(strike.signal).name
    try:
        if strike.at == "group":
            note(child, what, folder)
            os.killpg(child, strike.signal)
        elif strike.at == "main":
            note(child, what, folder)
            os.kill(child, strike.signal)
        elif workers := _children(child):
            worker = random.Random(strike.seed).choice(workers)
            note(worker, what, folder)
            os.kill(worker, strike.signal)
    except ProcessLookupError:
        pass  # it has just ended


def _children(process: int) -> list[int]:
    try:
        names = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    living = _of_session(process)
    return [int(name) for name in names if int(name) in living]


def _left(session: int) -> list[str]:
    """Those that do not end with the one that trains, by name; they are ended."""
    rest = _Rest(session, REST_S)
    deadline = time.monotonic() + END_S
    while (ends := _ends(session)) and not rest.has_come() and time.monotonic() < deadline:
        wait(ends, REST_S / 4)
        _close(ends)
    names = []
    for end, process in ends.items():
        names.append(Path(f"/proc/{process}/comm").read_text().strip())
        signal.pidfd_send_signal(end, signal.SIGKILL)
        wait([end])
    _close(ends)
    return names


def _ends(session: int) -> dict[int, int]:
    """What becomes readable when a process ends, of each that there is."""
    found = {}
    for process in _of_session(session):
        try:
            found[os.pidfd_open(process)] = process
        except ProcessLookupError:
            continue
    return found


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def main() -> None:
    import fits

    for line in sys.stdin:
        request = json.loads(line)
        mishaps = [Mishap(**mishap) for mishap in request["fit"].pop("mishaps")]
        observed = _observe(
            fits.Fit(**request["fit"], mishaps=mishaps), [Strike(**strike) for strike in request["strikes"]]
        )
        print(json.dumps(vars(observed)), flush=True)


if __name__ == "__main__":
    main()
