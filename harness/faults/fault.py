"""A fault as data: what goes wrong, and where. Standard library only.

`KINDS` lists all there are. How each is done stands in the file of its family; what must then happen, in
`harness.oracle.loops`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

NONE = "none"
BOTH = ("train", "validation")
TRAIN = ("train",)
EVERYWHERE = ("lightning", "keras")


@dataclass(frozen=True)
class Kind:
    """What may be asked of a fault.

    Attributes:
        moment: when an adapter asks whether it is due: before a `step`, at its `loss`, when a batch is to `fetch`, when
            a pass over a loader is about to `iterate`, in a `hook`, where a logger is about to `log`, where a
            checkpoint is about to `save`, when an `epoch` starts, or when a loader is asked for its `length`.
        stages: those that it can be aimed at.
        frameworks: those that it can be injected into.
        at: `batch` if it is aimed at one batch of an epoch, or at all of them; `epoch` if at an epoch as a whole;
            `stage` if at a stage for the whole of a `fit`.
        ranks: how many processes must share the epoch, or in Keras replicas.
        parameters: those that it takes, with what they are if not said.
    """

    moment: str
    stages: tuple[str, ...] = BOTH
    frameworks: tuple[str, ...] = EVERYWHERE
    at: str = "batch"
    ranks: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)


KINDS: dict[tuple[str, str], Kind] = {
    ("step", "exception"): Kind("step"),
    ("step", "out_of_memory"): Kind("step"),
    ("step", "labels_raise"): Kind("step"),
    ("step", "labels_broadcast"): Kind("step"),
    ("step", "nan_loss"): Kind("loss", TRAIN),
    ("step", "returns_none"): Kind("loss", TRAIN, ("lightning",)),
    ("loader", "getitem_raises"): Kind("fetch"),
    ("loader", "batch_changes_shape"): Kind("fetch"),
    ("loader", "corrupt_sample"): Kind("fetch"),
    ("loader", "runs_dry"): Kind("fetch"),
    ("loader", "hangs"): Kind("fetch"),
    ("loader", "worker_killed"): Kind("fetch", frameworks=("lightning",)),
    ("loader", "never_ends"): Kind("iterate", at="epoch"),
    ("loader", "length_too_long"): Kind("length", at="stage", parameters={"by": 2}),
    ("loader", "length_too_short"): Kind("length", at="stage", parameters={"by": 1}),
    ("callback", "raises_before"): Kind("hook", at="epoch"),
    ("callback", "raises_after"): Kind("hook", at="epoch"),
    ("callback", "logger_raises"): Kind("log", frameworks=("lightning",), at="epoch"),
    ("callback", "checkpoint_no_space"): Kind("save", TRAIN, at="epoch"),
    ("callback", "checkpoint_read_only"): Kind("save", TRAIN, at="epoch"),
    ("process", "interrupt"): Kind("step"),
    ("process", "interrupt_twice"): Kind("step"),
    ("process", "terminate"): Kind("step"),
    ("process", "kill"): Kind("step"),
    ("process", "sys_exit"): Kind("step", parameters={"status": 3}),
    ("process", "os_exit"): Kind("step", parameters={"status": 3}),
    ("process", "stop_requested"): Kind("step", TRAIN),
    ("process", "max_time"): Kind("step", TRAIN, ("lightning",)),
    ("process", "early_stopping"): Kind("epoch", TRAIN, at="epoch"),
    ("process", "threads_alive"): Kind("epoch", TRAIN, at="epoch"),
    ("strategy", "rank_raises"): Kind("step", TRAIN, ("lightning",), ranks=2),
    ("strategy", "rank_killed"): Kind("step", TRAIN, ("lightning",), ranks=2),
    ("strategy", "replica_raises"): Kind("step", TRAIN, ("keras",), ranks=2),
}
FAMILIES = tuple(dict.fromkeys(family for family, _ in KINDS))


class InjectedError(RuntimeError):
    """What a fault raises where the issue is an exception as such: nobody else does."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        family, kind: a key of `KINDS`.
        epoch: counted from 0; it must be 0 where the kind is aimed at a stage.
        batch: counted from 0, None for all batches of the epoch; it must be None where the kind is aimed at no batch.
        rank: in which of several processes that share an epoch.
    """

    family: str
    kind: str
    stage: str = "train"
    epoch: int = 1
    batch: int | None = None
    rank: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.family}.{self.kind}"

    def acts(self, moment: str, stage: str | None, epoch: int | None, batch: int | None) -> bool:
        """Whether it is aimed there."""
        aim = (self.rules.moment, self.stage, self.epoch)
        return aim == (moment, stage, epoch) and self.batch in (None, batch)

    @property
    def message(self) -> str:
        """Of the exception that it raises, if that is ours."""
        return f"{self.name} in {self.stage}, epoch {self.epoch}"

    @property
    def rules(self) -> Kind:
        return KINDS[self.family, self.kind]

    def parameter(self, name: str) -> Any:
        return self.parameters.get(name, self.rules.parameters[name])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
