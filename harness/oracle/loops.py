"""What a training loop must do, step by step, when nothing goes wrong and when something does.

An executable form of the order that a framework documents: it goes through a plan as the framework would, and lists
the hooks and steps that must be seen, up to whatever ends it. `lightning_loop` and `keras_loop` say what is particular
to each. Standard library only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.faults.fault import Fault
from harness.faults.loader import EXTRA_PASSES
from harness.workloads.schedule import Schedule

STEP = "batch"  # what a history calls the step of a batch


@dataclass(frozen=True)
class Event:
    """A hook or step that begins; `f` is as in the history (`EpochLog.on_epoch_end`), `batch` is a step's only."""

    f: str
    stage: str | None = None
    epoch: int | None = None
    batch: int | None = None

    @property
    def words(self) -> str:
        what = f"the {self.stage} step of batch {self.batch}" if self.f == STEP else self.f
        return what if self.epoch is None else f"{what}, epoch {self.epoch}"


@dataclass(frozen=True)
class Ending:
    """How a trial's process must end.

    Attributes:
        how: `completes` (`fit` returns), `raises`, `dies` (by a signal or with a status) or `hangs` (until its limit).
        exceptions: class names of what may reach the caller; empty for any.
        unchanged: whether it must be the very exception that was raised.
        status: of a process that dies, negative for a signal.
        foreseen: whether all events up to the end are certain; else a beginning of them must be seen.
    """

    how: str
    exceptions: tuple[str, ...] = ()
    unchanged: bool = True
    status: int = 0
    foreseen: bool = True


COMPLETES = Ending("completes")
HANGS = Ending("hangs")
NEVER_ENDS = Ending("hangs", foreseen=False)  # how far it comes depends on how far ahead batches are asked for


@dataclass(frozen=True)
class Expected:
    """All events in order, the end, and the faults that come to fire before it."""

    events: tuple[Event, ...]
    ending: Ending
    reached: tuple[Fault, ...]


@dataclass(frozen=True)
class Order:
    """The hooks of a framework in the order that it documents for a training with validation.

    Attributes:
        source: where that is documented.
        batch, validation: what comes before and after the step of a batch, or the batches of a validation, by stage.
        exception: what is called when an exception ends the training.
        told_again: stages of which callbacks are told figures when an epoch ends that saw none of their batches, if an
            earlier one did.
    """

    source: str
    start: tuple[str, ...]
    epoch_start: tuple[str, ...]
    batch: Mapping[str, tuple[str, str]]
    validation: tuple[tuple[str, ...], tuple[str, ...]]
    epoch_end: tuple[str, ...]
    end: tuple[str, ...]
    exception: tuple[str, ...] = ()
    told_again: tuple[str, ...] = ("train", "validation")

    @property
    def of_epochs(self) -> tuple[str, ...]:
        """Those that belong to an epoch."""
        of_batches = (hook for pair in self.batch.values() for hook in pair)
        return (*self.epoch_start, *of_batches, *self.validation[0], *self.validation[1], *self.epoch_end)

    @property
    def hooks(self) -> tuple[str, ...]:
        return (*self.start, *self.of_epochs, *self.end, *self.exception)


@dataclass(frozen=True)
class Owner:
    """A callback, or the module, and the hooks that are seen of it.

    Attributes:
        kind: `callback`, `monitor` (early stopping), `checkpoint`, `module` or `logger`.
    """

    name: str
    kind: str
    hooks: tuple[str, ...]

    def names(self, hook: str) -> str:
        return hook if self.kind == "module" else f"{self.name}.{hook}"


@dataclass(frozen=True)
class Plan:
    """What a trial was to do.

    Attributes:
        batches: how many a pass has by stage, 0 for none.
        numbers: what a history calls each of them: they are counted anew for every loader.
        refuses: what is raised for faults that the framework does not mind, by their names.
    """

    owners: tuple[Owner, ...]
    batches: Mapping[str, int]
    numbers: Mapping[str, Sequence[int]]
    schedule: Schedule
    faults: tuple[Fault, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=dict)

    def validates(self, epoch: int) -> bool:
        return self.batches["validation"] > 0 and (epoch + 1) % self.schedule.validate_every == 0


class Cut(Exception):  # noqa: N818  # it is no error
    """What ends a training early."""

    def __init__(self, ending: Ending, told: Sequence[str] = ()) -> None:
        super().__init__()
        self.ending = ending
        self.told = told


BEFORE, AFTER = Owner("", "before", ()), Owner("", "after", ())  # where callbacks that raise are put


class Loop:
    """Goes through a plan. A framework's own class says how hooks are shared out, and what each fault does."""

    order: Order

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.events: list[Event] = []
        self.reached: list[Fault] = []
        self.stopping = False

    def expected(self) -> Expected:
        try:
            self._train()
            ending = COMPLETES
        except Cut as cut:
            ending = cut.ending
            for hook in cut.told:
                self.call(hook, None, None)
        return Expected(tuple(self.events), ending, tuple(self.reached))

    def _train(self) -> None:
        for stage in ("train", "validation"):
            self.strike("length", stage, 0)
        self.call_all(self.order.start, None, None)
        for epoch in range(self.plan.schedule.epochs):
            self.call_all(self.order.epoch_start, "train", epoch)
            self.strike("epoch", "train", epoch)
            self.epoch(epoch)
            self.call_all(self.order.epoch_end, "train", epoch)
            self.after_epoch(epoch)
            if self.stopping:
                break
        self.call_all(self.order.end, None, None)

    def epoch(self, epoch: int) -> None:
        """The batches of an epoch, and its validations."""
        raise NotImplementedError

    def after_epoch(self, epoch: int) -> None:
        """What follows the hooks that end an epoch."""

    def owners(self, hook: str) -> Iterator[Owner]:
        """Whom a hook is called on, in order, with `BEFORE` and `AFTER` where callbacks that raise would be."""
        raise NotImplementedError

    def effect(self, fault: Fault) -> None:
        """What a fault does at the moment that it fires.

        Raises:
            Cut: it ends the training.
        """
        raise NotImplementedError

    def call_all(self, hooks: Sequence[str], stage: str | None, epoch: int | None) -> None:
        for hook in hooks:
            self.call(hook, stage, epoch)

    def call(self, hook: str, stage: str | None, epoch: int | None) -> None:
        for owner in self.owners(hook):
            if owner in (BEFORE, AFTER):
                if hook in (*self.order.epoch_end, self.order.validation[1][0]):
                    self.strike("hook", stage, epoch, kinds=[f"raises_{owner.kind}"])
            elif hook in owner.hooks:
                self.events.append(Event(owner.names(hook), stage, epoch))
                self.called(owner, hook, epoch)

    def called(self, owner: Owner, hook: str, epoch: int | None) -> None:
        """What a hook of an owner may bring about by itself."""

    def passes_over(self, stage: str, epoch: int) -> Iterator[int]:
        """The batches that a loader gives in an epoch, as far as it does; each is stepped through by who asks."""
        batches = self.plan.batches[stage]
        asked, given = 0, batches
        for batch in range(batches):
            while asked < min(batch + 1 + self.ahead(stage), given):
                if any(fault.kind == "runs_dry" for fault in self.strike("fetch", stage, epoch, asked)):
                    given = asked
                asked += 1
            if batch >= given:
                return
            yield batch
        for _ in self.strike("iterate", stage, epoch):
            yield from range(batches, batches * (1 + EXTRA_PASSES))
            raise Cut(NEVER_ENDS)

    def given(self, stage: str, epoch: int) -> Iterator[int]:
        """Those of `passes_over` that the framework takes."""
        return self.passes_over(stage, epoch)

    def ahead(self, stage: str) -> int:
        """How many batches are asked for before they are needed."""
        return 0

    def step(self, stage: str, epoch: int, batch: int) -> None:
        self.begin(stage, epoch)
        numbers = self.plan.numbers[stage]
        self.events.append(Event(STEP, stage, epoch, numbers[batch] if batch < len(numbers) else batch))
        self.within_step(stage, epoch, batch)
        self.take(stage, epoch, batch)
        self.strike("loss", stage, epoch, batch)
        self.call(self.order.batch[stage][1], stage, epoch)

    def begin(self, stage: str, epoch: int) -> None:
        """A step, with a batch that is there."""
        self.call(self.order.batch[stage][0], stage, epoch)

    def within_step(self, stage: str, epoch: int, batch: int) -> None:
        self.strike("step", stage, epoch, batch)

    def take(self, stage: str, epoch: int, batch: int) -> None:
        """What a batch does to the step, if it came from its loader with something wrong.

        Raises:
            Cut: the step cannot go on with it.
        """
        raise NotImplementedError

    def came_wrong(self, kind: str, stage: str, epoch: int, batch: int) -> bool:
        place = (kind, stage, epoch)
        return any(
            (each.kind, each.stage, each.epoch) == place and each.batch in (None, batch) for each in self.reached
        )

    def validate(self, epoch: int) -> None:
        before, after = self.order.validation
        self.call_all(before, "validation", epoch)
        batches = 0
        for batch in self.given("validation", epoch):
            self.step("validation", epoch, batch)
            batches += 1
            if self.validated_batch(epoch, batch):
                break
        self.call(after[0], "validation", epoch)
        self.after_validation(epoch, batches)
        self.call_all(after[1:], "validation", epoch)

    def validated_batch(self, epoch: int, batch: int) -> bool:
        """What follows the hooks that end a batch of validation; whether it was the last."""
        return False

    def after_validation(self, epoch: int, batches: int) -> None:
        """What follows the first hook that ends a validation of so many batches."""

    def strike(
        self,
        moment: str,
        stage: str | None,
        epoch: int | None,
        batch: int | None = None,
        kinds: Sequence[str] = (),
    ) -> list[Fault]:
        """Have the faults that are due take effect; returns them.

        Args:
            kinds: those of the only kinds or families that are meant; empty for all.

        Raises:
            Cut: one of them ends the training.
        """
        due = [
            fault
            for fault in self.plan.faults
            if fault.acts(moment, stage, epoch, batch)
            and (not kinds or fault.kind in kinds or fault.family in kinds)
            and (fault not in self.reached or fault.batch is None)
        ]
        for fault in due:
            self.reached.append(fault)
            if fault.name in self.plan.refuses:
                raise Cut(Ending("raises", (self.plan.refuses[fault.name],)), self.order.exception)
            self.effect(fault)
        return due
