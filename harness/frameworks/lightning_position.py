"""Where a training in Lightning stands: what every operation of its history is stamped with."""

from typing import Any

COUNTED_EPOCH = 1  # in the first, some calls only fill caches


class Position:
    """Of the Trainer that is recorded, once it is known."""

    def __init__(self) -> None:
        self.trainer: Any = None
        self.batch: int | None = None
        self.loader = 0
        self.of_step: dict[str, Any] | None = None
        self.python_calls: dict[str, int] = {}

    def stage(self) -> str | None:
        if self.trainer is None:
            return None
        if self.trainer.sanity_checking:
            return "sanity"
        if self.trainer.validating or getattr(self.trainer.state, "stage", None) == "validate":
            return "validation"
        if self.trainer.training:
            return "train"
        if self.trainer.testing:
            return "test"
        return "predict" if self.trainer.predicting else None

    def stamp(self) -> dict[str, Any]:
        """Within a step nothing of it changes, and it is read from the trainer once."""
        if self.trainer is None:
            return {}
        return self.of_step or {
            "stage": self.stage(),
            "epoch": self.trainer.current_epoch,
            "step": self.trainer.global_step,
            "batch": self.batch,
        }


def is_counted(stamp: dict[str, Any]) -> bool:
    """Whether calls are counted in the epoch of a stamp."""
    return bool(stamp["epoch"] == COUNTED_EPOCH)
