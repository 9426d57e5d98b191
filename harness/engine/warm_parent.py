"""A process that has the framework imported already, and forks a fresh child for every trial.

Started once per job, in the environment under test (`python -m harness.engine.warm_parent lightning FOLDER`), it
reads one request a line from standard input and answers with one line on standard output. It handles one
trial at a time, and nothing is shared between parents: a trial that kills its own parent disturbs no other.

Why not the standard library's forkserver or a pool: both reap the children themselves, so the kernel's own
account of a child (exit status and peak memory, from `wait4`, there even after SIGKILL) is lost; both import
the coordinator's `__main__` in every child; and neither can work in another interpreter, as a comparison of
two environments needs. Standard library and NumPy only.
"""

import ctypes
import faulthandler
import gc
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from harness import scenario_files
from harness.engine import huge_pages, place, servers
from harness.engine.leftovers import Leftovers
from harness.engine.trial import ADAPTERS, Trial, run
from harness.faults.loader import BLOCKING, PATIENCE_S
from harness.importing import uncollected

PACKAGES = (
    "torch", "pytorch-lightning", "lightning", "torchmetrics", "numpy", "tensorflow", "tensorflow-cpu", "keras", "ray",
)  # fmt: skip
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 1.0
# Trials, after which there are likely to be many more: to gather memory takes as long as it saves in forty.
MANY = 40
# Faults of threads and worker processes, which the end of a script waits for or ends. It takes a second, and elsewhere
# there is nothing to be seen of it.
SHUT_DOWN = {"process.threads_alive", "loader.worker_killed"}
DUMP = "where-it-hung.txt"
KIBIBYTE = 1 if sys.platform == "darwin" else 1024


def environment(framework: str) -> dict[str, Any]:
    """What is installed here, and whether the framework can be used; runs in a child, because asking for a
    GPU starts the CUDA runtime, which does not survive a fork."""
    packages = {}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": packages,
        "framework": framework,
        "module": "",
        "unavailable": "",
        "cuda": {"available": False, "reason": "", "device": "", "count": 0},
    }
    try:
        adapter = importlib.import_module(ADAPTERS[framework])
        found["module"] = adapter.NAME
        found["cuda"] = adapter.cuda()
    except Exception as error:  # noqa: BLE001  # an import may fail in any way; the reason is reported
        found["unavailable"] = f"{type(error).__name__}: {error}"
        found["cuda"]["reason"] = f"{framework} cannot be imported"
    for name in PACKAGES:  # what is imported need not be what is installed
        version = str(getattr(sys.modules.get(name.replace("-", "_")), "__version__", ""))
        if version[:1].isdigit():
            packages[name] = version
    return found


class WarmParent:
    """Reads requests and answers them; see the module's docstring."""

    def __init__(self, framework: str, engine_folder: str) -> None:
        self.framework = framework
        self.engine_folder = engine_folder
        self.child = 0
        self.timed_out = False
        # Of its own, so that trials of other parents do not write there.
        self.folder = tempfile.mkdtemp()
        # Replies go to a copy of standard output; whatever else prints, prints to standard error.
        self.replies = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def warm_up(self) -> None:
        with uncollected(), suppress(Exception):  # reported by `environment`, with its reason
            importlib.import_module(ADAPTERS[self.framework]).warm_up()
        # Whoever started this may have blocked some, as Ray has SIGINT for its workers, and trials would inherit that.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        # Orphaned grandchildren come to us, so that a trial cannot leave a process behind.
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGALRM, self._out_of_time)
        # A signal of its own: when it comes, whoever started this may still be there in part.
        signal.signal(signal.SIGHUP, self._stop)
        _prctl(PR_SET_PDEATHSIG, signal.SIGHUP)
        gc.collect()
        gc.freeze()  # here for good, in every trial too: going through it again would copy what is shared

    def serve(self) -> None:
        for number, line in enumerate(sys.stdin):
            request = json.loads(line)
            # Not between two measurements: what is forked later would not be like what was forked before.
            if number == MANY and not request.get("trial", {}).get("measure"):
                huge_pages.gather()
            reply = self._environment() if "environment" in request else self._trial(request)
            self.replies.write(json.dumps(reply) + "\n")
            self.replies.flush()

    def _environment(self) -> dict[str, Any]:
        """What `environment` found; or, if it crashed, `crashed`: its exit status, negative for a signal."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with os.fdopen(writer, "w") as pipe:
                json.dump(environment(self.framework), pipe)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            found = pipe.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        answer: dict[str, Any] = json.loads(found) if found and code == 0 else {"crashed": code}
        return answer

    def _trial(self, request: dict[str, Any]) -> dict[str, Any]:
        before = Leftovers([self.folder])
        folder = tempfile.mkdtemp(dir=self.folder)
        started = time.perf_counter()
        left_behind = peak = 0
        for _ in range(Trial.from_json(request["trial"]).most_processes):
            status, usage = self._process(request, folder)
            left_behind += self._end_group_and_orphans()
            peak = max(peak, usage.ru_maxrss)
            if status in (0, 1) or self.timed_out:  # it ended by itself, or is not going to
                break
        seconds = time.perf_counter() - started
        where = _where_it_hung(request, folder) if self.timed_out else ""
        kept = _kept(Path(folder, request["trial"]["record"])) if request["trial"]["record"] else None
        shutil.rmtree(folder, ignore_errors=True)
        leftovers = before.remove()
        return {
            "status": status,
            "timed_out": self.timed_out,
            "where": where,
            "limit_s": PATIENCE_S if self.timed_out and status == -signal.SIGALRM else request["limit_s"],
            "peak_rss_bytes": peak * KIBIBYTE,
            "seconds": seconds,
            "left_behind": left_behind,
            "leftovers": leftovers,
            "kept": kept,
        }

    def _process(self, request: dict[str, Any], folder: str) -> tuple[int, resource.struct_rusage]:
        """Fork a child that is the trial, and wait for its end."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.child = os.fork()
        if self.child == 0:
            self._be_the_trial(request, folder)
        self.timed_out = False
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + GRACE_S)
        _, status, usage = os.wait4(self.child, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        code = os.waitstatus_to_exitcode(status)
        planned = {f"{each['family']}.{each['kind']}" for each in request["trial"]["faults"]}
        if code == -signal.SIGALRM and planned.intersection(BLOCKING):
            self.timed_out = True  # it ended itself, where it would have hung
        return code, usage

    def _be_the_trial(self, request: dict[str, Any], folder: str) -> None:
        """Never returns. A session of its own keeps signals to process groups inside the trial."""
        code = 1
        try:
            os.setsid()
            # A trial that kills its parent goes with it.
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # The protocol's pipes are the parent's alone.
            os.close(self.replies.fileno())
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(folder)
            os.environ["TMPDIR"] = folder
            tempfile.tempdir = folder
            # A trial that hangs says where, before it is killed.
            dump = os.open(os.path.join(folder, DUMP), os.O_WRONLY | os.O_CREAT, 0o644)
            faulthandler.dump_traceback_later(request["limit_s"], exit=False, file=dump)
            faulthandler.register(signal.SIGALRM, file=dump, chain=True)
            trial = Trial.from_json(request["trial"])
            code = 0 if run(trial, request["workload"], request["history"]) else 1
            servers.end()
            if any(fault.name in SHUT_DOWN for fault in trial.faults):
                ctypes.pythonapi.Py_Exit(code)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _end_group_and_orphans(self) -> int:
        """Kill what the trial started and left running; return how many processes that were."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child, signal.SIGKILL)
        self.child = 0
        ended = 0
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid:
                ended += 1
                continue
            for orphan in _children():
                with suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(orphan, 0)
                ended += 1

    def _out_of_time(self, signum: int, frame: FrameType | None) -> None:
        """The wait in `_trial` goes on by itself, and finds the child killed."""
        with suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
            self.timed_out = True

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        if self.child:
            with suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self.child, 0)
            self._end_group_and_orphans()
        if signum == signal.SIGHUP:
            self.tidy_up()
        os._exit(0)

    def tidy_up(self) -> None:
        """In place of whoever started it, and was killed."""
        shutil.rmtree(self.engine_folder, ignore_errors=True)


def _kept(record: Path) -> list[str]:
    """The lines of the file that a trial keeps, as they are on disk when it is gone; none if there is no file."""
    try:
        return record.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _where_it_hung(request: dict[str, Any], folder: str) -> str:
    """The line that a trial was at when its time ran out; all of its threads go to its output."""
    try:
        dump = Path(folder, DUMP).read_text(encoding="utf-8", errors="replace")
        with open(request["output"], "a", encoding="utf-8") as output:
            output.write(dump)
    except OSError:  # the trial is free to remove its folder
        return ""
    return place.of_dump(dump, [os.path.dirname(scenario_files.path_of(request["trial"]["locator"]))])


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    parent = WarmParent(*sys.argv[1:])
    parent.warm_up()
    parent.serve()
    parent.tidy_up()
