"""Runs trials as tasks of a Ray cluster: of one that is started here, or of one that listens elsewhere.

The driver hands over no more trials than `AHEAD` for each processor of the cluster, and holds no history: what a task
returns is written to the run directory at once, and let go; outcomes come in the order of the plan. Ray's own retries
are off, so that a lost worker or node is seen, told, and counted.
"""

import ctypes
import importlib
import socket
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import harness
from harness.engine import ray_worker
from harness.engine.engines import AHEAD, Retry
from harness.engine.local import Job, Outcome
from harness.environment import Environment
from harness.errors import HarnessError, UndecidedError, UsageError

WAITING = 50  # outcomes for each processor that may wait for that of an earlier trial, so that they do not pile up
TRIMMED_EVERY = 10  # outcomes
ATTEMPTS = 4  # of a trial, each on a worker that is lost
SET_UP_S = 600.0  # that nodes may take to install what workers are to have, and to import it
WIDTH = 240  # of what Ray says of an error
M_ARENA_MAX = -8  # of malloc.h
CONNECT_S = 3.0  # that a cluster may take to be there at all


@dataclass
class RayEngines:
    """As `harness.engine.local.Engines`; made by :func:`engines`.

    Attributes:
        retries: of all trials so far, in the order in which they were noticed.
    """

    frameworks: tuple[str, ...]
    limit_s: float
    packages: tuple[str, ...]
    environment: dict[str, Any]  # of its workers, as Ray describes one
    retries: list[Retry] = field(default_factory=list)
    _workloads: dict[Path, Any] = field(default_factory=dict)  # references to their bytes, in the cluster

    @cached_property
    def environments(self) -> dict[str, Environment]:
        """What is installed there, by framework; waits until a worker has started.

        Raises:
            HarnessError: as `LocalEngine.environment`; or the cluster starts none in time.
        """
        look = ray.remote(ray_worker.environment).options(max_retries=ATTEMPTS, runtime_env=self.environment)
        asked = {each: look.remote(each, self.packages, self.limit_s) for each in self.frameworks}
        try:
            return {framework: ray.get(reference, timeout=SET_UP_S) for framework, reference in asked.items()}
        except GetTimeoutError:
            raise UndecidedError(f"the cluster started no worker within {SET_UP_S:g} s; see `ray status`") from None
        except RuntimeEnvSetupError as error:
            raise UndecidedError(f"the cluster cannot set up its workers: {_first_line(error)}") from None
        except RayTaskError as error:
            raise HarnessError(_first_line(error.cause or error)) from None

    @property
    def in_a_row(self) -> int:
        """A cluster ends idle workers of one environment to start those of another, which takes as long as dozens of
        trials."""
        return WAITING * _processors()

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """As `Engines.run`, on all of the cluster. Closing the iterator early cancels the rest."""
        numbered = enumerate(jobs)
        handed: dict[Any, tuple[int, Job, int]] = {}  # by reference: which, and how often it was lost
        ended: dict[int, Outcome] = {}  # before it is their turn; their histories are on disk
        due = 0
        processors = _processors()
        try:
            while True:
                while due in ended:
                    yield ended.pop(due)
                    due += 1
                    if due % TRIMMED_EVERY == 0:
                        _give_back_memory()
                room = min(AHEAD * processors - len(handed), WAITING * processors - len(ended))
                for number, job in islice(numbered, max(0, room)):
                    handed[self._hand_over(job)] = (number, job, 0)
                if not handed:
                    return
                ray.wait([*handed], num_returns=1)
                ready, _ = ray.wait([*handed], num_returns=len(handed), timeout=0)
                for reference in ready:
                    number, job, lost = handed.pop(reference)
                    try:
                        ended[number] = self._take_back(job, reference)
                    except RayError as error:
                        handed[self._again(job, lost + 1, _first_line(error))] = (number, job, lost + 1)
        finally:
            for reference in handed:
                with suppress(Exception):  # the cluster may be what ended
                    ray.cancel(reference, force=True)

    @cached_property
    def _task(self) -> Any:
        """Made once: each that is made is sent to the cluster anew, and kept."""
        return ray.remote(
            num_cpus=1, max_retries=0, scheduling_strategy="SPREAD", runtime_env=self.environment
        )(ray_worker.carry_out)  # fmt: skip

    def _hand_over(self, job: Job) -> Any:
        if job.workload not in self._workloads:
            self._workloads[job.workload] = ray.put(job.workload.read_bytes())
        gpus = job.trial.ranks if job.trial.device == "cuda" else 0
        task = self._task.options(num_gpus=gpus, name=job.trial.id)
        return task.remote(job.trial, self._workloads[job.workload], self.packages, self.limit_s, job.judge)

    def _take_back(self, job: Job, reference: Any) -> Outcome:
        try:
            returned: ray_worker.Returned = ray.get(reference)
        except RayTaskError as error:
            raise HarnessError(f"{job.trial.id}: {_first_line(error.cause or error)}") from None
        job.history.write_bytes(returned.history)
        job.output.write_bytes(returned.output)
        return returned.outcome

    def _again(self, job: Job, lost: int, why: str) -> Any:
        if lost == ATTEMPTS:
            raise UndecidedError(f"{job.trial.id}: its worker or node was lost {lost} times: {why}")
        self.retries.append(Retry(job.trial.id, why))
        return self._hand_over(job)


def _processors() -> int:
    """Of the whole cluster, as it is now."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


@contextmanager
def engines(
    frameworks: Iterable[str],
    jobs: int,
    limit_s: float,
    packages: Iterable[str],
    address: str = "",
    requirements: Sequence[str] = (),
) -> Iterator[RayEngines]:
    """Engines of a cluster, which is joined for as long, unless it is already.

    Args:
        jobs, packages, address: as of :func:`joined`.
        requirements: what workers have other than their node, as of pip; each set of them is an environment that Ray
            makes and keeps on every node.
    """
    packages = tuple(packages)
    with joined(jobs, packages, address):
        yield RayEngines(tuple(frameworks), limit_s, packages, environment_of(requirements))


def environment_of(requirements: Sequence[str]) -> dict[str, Any]:
    """Of workers that have these, as Ray describes it."""
    return {"pip": {"packages": list(requirements), "pip_check": False}} if requirements else {}


@contextmanager
def joined(jobs: int, packages: Iterable[str], address: str) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine; leaving disconnects, and ends what was started. Does nothing
    within another.

    Args:
        jobs: how many processors a cluster has that is started here.
        packages: that scenarios come from; sent to the cluster, as the harness is.
        address: `HOST:PORT` of a cluster; empty to start one.

    Raises:
        UsageError: the cluster cannot be joined: it is of another version of Python or Ray, say.
    """
    if ray.is_initialized():
        yield
        return
    _share_one_heap()
    modules = [harness.__name__, *packages]
    own: dict[str, Any] = {} if address else {"num_cpus": jobs, "include_dashboard": False}
    try:
        ray.init(
            address or "local", log_to_driver=False, logging_level="ERROR", **own,
            runtime_env={"py_modules": [str(_folder(name)) for name in modules]},
        )  # fmt: skip
    except (RuntimeError, ConnectionError, ValueError) as error:
        ray.shutdown()  # it may have come half the way
        raise UsageError(f"cannot join the cluster at {address or 'this machine'}: {_first_line(error)}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _share_one_heap() -> None:
    """Between the threads that are about to start: of what Ray's dozens of them hand to each other, glibc would keep
    some 30 KB a trial in heaps of their own (`man 3 mallopt`)."""
    with suppress(AttributeError):  # it is glibc's
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _give_back_memory() -> None:
    """What is free in between what is not, of which glibc would keep more the more trials there are."""
    with suppress(AttributeError):  # it is glibc's
        ctypes.CDLL(None).malloc_trim(0)


def _folder(package: str) -> Path:
    module = importlib.import_module(package)
    if not module.__file__ or Path(module.__file__).name != "__init__.py":
        raise UsageError(f"{package} is no package, and only packages are sent to a cluster: make it one")
    return Path(module.__file__).parent


def on_one_node(
    first: Mapping[str, Any], second: Mapping[str, Any], what: Callable[..., Any], *arguments: Any
) -> tuple[str, Any]:
    """Call `what` with the interpreters of two environments of workers, on one node, that nothing else is given to.

    Args:
        first, second: as `RayEngines.environment`.
        what: of a module that is sent to the cluster.
        arguments: what it is called with behind those.

    Returns:
        the node's name, and what the call gives.

    Raises:
        HarnessError: it raised that, or the node was lost.
    """
    node = max((each for each in ray.nodes() if each["Alive"]), key=lambda each: each["Resources"].get("CPU", 0))
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    look = ray.remote(ray_worker.interpreter)
    try:
        pythons = ray.get(
            [
                look.options(scheduling_strategy=there, num_cpus=0, runtime_env=dict(each)).remote()
                for each in (first, second)
            ]
        )
        alone = ray.remote(what).options(
            scheduling_strategy=there, num_cpus=node["Resources"].get("CPU", 0), max_retries=0
        )
        return node["NodeManagerHostname"], ray.get(alone.remote(*pythons, *arguments))
    except RayTaskError as error:
        raise HarnessError(_first_line(error.cause or error)) from None
    except RayError as error:
        raise UndecidedError(f"the node {node['NodeManagerHostname']} was lost: {_first_line(error)}") from None


def check(address: str) -> None:
    """That a cluster listens there; Ray itself would wait for a minute.

    Raises:
        UsageError: it does not, or that is no address; an empty one is fine.
    """
    if not address:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"{address!r} is no HOST:PORT of a cluster, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no cluster listens at {address} ({error}); `ray start --head --port={port}` starts one there"
        ) from None


def _first_line(error: BaseException) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return textwrap.shorten(line, WIDTH, placeholder=" …")
