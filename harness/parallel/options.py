"""What validation beside training is asked for; the docstrings of the callbacks say what each means."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # whoever trains with Keras need not have it
    from torch import Tensor

WhenSlower = Literal["block", "skip", "latest"]
OnFailure = Literal["raise", "sequential", "continue"]
StartMethod = Literal["fork", "forkserver", "spawn", "ray"]


def check_choices(*choices: tuple[str, Any, Sequence[Any]]) -> None:
    """Raises ValueError: of these names and values, one is none of those that are known."""
    for name, value, known in choices:
        if value not in known:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, known))}")


def check_limits(**limits: float | None) -> None:
    """Raises ValueError: one is no number of seconds to wait."""
    for name, limit in limits.items():
        if limit is not None and limit <= 0:
            raise ValueError(f"{name}={limit}: more than 0 seconds, or None")


@dataclass(frozen=True)
class Options:
    """Of a `ParallelValidation`."""

    workers: int
    when_slower: WhenSlower
    on_failure: OnFailure
    retries: int
    time_limit: float | None
    drain_limit: float | None
    start_method: StartMethod | None
    loaders: Callable[[], Any] | None
    callbacks: Callable[[], Sequence[Any]]
    weights: Callable[[Any, Any], Mapping[str, "Tensor"]] | None
    threads: int

    def method(self, device: str) -> StartMethod:
        """How workers are started: what is forked cannot use CUDA."""
        return self.start_method or ("fork" if device == "cpu" and self.threads == 1 else "spawn")
