"""What a training is made of whose validation may overlap with it: a load as data, which both sides read.

Standard library only.
"""

import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

Kind = Literal["sleep", "real", "tiny"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PREFIX = "overlap:"


@dataclass(frozen=True)
class Load:
    """All of a module's time is spent in its forward pass, whoever calls it.

    Attributes:
        kind: `sleep` waits, and competes for nothing; `real` is a small convolutional network; `tiny` is many small
            operations from Python, which holds the interpreter's lock.
        epochs: to train for.
        train_s, validation_s: that `sleep` waits for each batch.
        weights_bytes: of a parameter that every step changes, besides the network's own.
        watch_memory: look at the memory of every process while it trains, which takes time of its own.
    """

    kind: Kind = "sleep"
    epochs: int = 6
    train_s: float = 0.0
    validation_s: float = 0.0
    weights_bytes: int = 0
    watch_memory: bool = False

    def to_measure(self) -> str:
        """As `Trial.measure` takes it."""
        return PREFIX + json.dumps(asdict(self))

    @staticmethod
    def of_measure(measure: str) -> "Load":
        return Load(**json.loads(measure.removeprefix(PREFIX)))
