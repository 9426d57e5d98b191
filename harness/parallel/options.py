"""What a `ParallelValidation` was asked for; its docstring says what each means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

WhenSlower = Literal["block", "skip", "latest"]
OnFailure = Literal["raise", "sequential", "continue"]
StartMethod = Literal["fork", "forkserver", "spawn"]


@dataclass(frozen=True)
class Options:
    workers: int
    when_slower: WhenSlower
    on_failure: OnFailure
    retries: int
    time_limit: float | None
    drain_limit: float | None
    start_method: StartMethod | None
    loaders: Callable[[], Any] | None
    callbacks: Callable[[], Sequence[Any]]
    weights: Callable[[Any, Any], Mapping[str, Tensor]] | None
    threads: int

    def method(self, device: str) -> StartMethod:
        """How workers are started: what is forked cannot use CUDA."""
        return self.start_method or ("fork" if device == "cpu" and self.threads == 1 else "spawn")
