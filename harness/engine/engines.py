"""What carries trials out: this machine, or a cluster."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import IO, Any, Protocol

from harness.engine import local
from harness.engine.local import Job, Outcome
from harness.environment import Environment
from harness.errors import UsageError

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
AHEAD = 3  # trials that are handed over for each processor of a cluster, so that none waits for the driver


@dataclass(frozen=True)
class Retry:
    """A trial that was handed over once more, as its worker or its node was lost."""

    trial: str
    why: str


class Engine(Protocol):
    """Runs trials each in a process of its own, wherever that is."""

    @property
    def environments(self) -> dict[str, Environment]:
        """What is installed where trials run, by framework."""

    @property
    def retries(self) -> Sequence[Retry]:
        """Of all trials so far."""

    @property
    def in_a_row(self) -> int:
        """How many trials of one environment are to follow one another before those of another on the same machines."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Yield outcomes in the order given, each with its history on disk. Closing early cancels the rest."""


@dataclass(frozen=True)
class Where:
    """Which engine was asked for.

    Attributes:
        address: `HOST:PORT` of a Ray cluster; empty to start one on this machine.
        requirements: what the cluster's workers are to have, other than their nodes.
    """

    engine: str = LOCAL
    address: str = ""
    requirements: tuple[str, ...] = ()

    def check(self, python: str = "") -> None:
        """Raises:
        UsageError: it cannot be had, with what to do.
        """
        if self.engine == LOCAL and self.address:
            raise UsageError("--address is of a Ray cluster: say --engine ray, too")
        if self.engine == LOCAL and python and shutil.which(python) is None:
            raise UsageError(f"--python {python} is no interpreter: there is no such program that can be executed")
        if self.engine == RAY:
            if python:
                raise UsageError("--python is an interpreter on this machine, and --engine ray runs on others")
            _ray_engine().check(self.address)

    def joined(self, jobs: int, packages: Iterable[str]) -> AbstractContextManager[None]:
        """Whatever is started within uses one cluster. Of this machine's engine, nothing is needed."""
        if self.engine == RAY:
            within: AbstractContextManager[None] = _ray_engine().joined(jobs, packages, self.address)
            return within
        return nullcontext()

    def start(
        self,
        frameworks: Iterable[str],
        jobs: int,
        limit_s: float,
        log: IO[bytes] | int,
        python: str,
        packages: Iterable[str],
    ) -> AbstractContextManager[Engine]:
        """As `harness.engine.local.engines`."""
        if self.engine == RAY:
            engines: AbstractContextManager[Engine] = _ray_engine().engines(
                frameworks, jobs, limit_s, packages, self.address, self.requirements
            )
            return engines
        return local.engines(frameworks, jobs, limit_s, log, python, packages)

    def on_one_node(self, other: "Where", what: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
        """Call `what` with the interpreters of two clusters' environments, and `arguments`, where both are.

        Returns:
            the name of the node, and what the call gives.
        """
        ray_engine = _ray_engine()
        first, second = (ray_engine.environment_of(each.requirements) for each in (self, other))
        called: tuple[str, Any] = ray_engine.on_one_node(first, second, what, *arguments)
        return called


def _ray_engine() -> ModuleType:
    try:
        from harness.engine import ray_engine
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray ({error}): pip install 'epoch-harness[ray]'") from None
    return ray_engine
