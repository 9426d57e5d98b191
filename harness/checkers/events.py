"""What was to be seen of a trial's hooks and steps, and what was."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from harness.engine.trial import Trial
from harness.environment import Environment
from harness.history.reader import History, Operation
from harness.oracle import keras_loop, lightning_loop
from harness.oracle.keras_loop import KerasLoop
from harness.oracle.lightning_loop import LightningLoop
from harness.oracle.loops import STEP, Event, Expected, Loop, Order, Owner, Plan
from harness.scenario import Scenario
from harness.workloads.workload import Workload

STAGES = ("train", "validation")
ORDERS: dict[str, Order] = {"lightning": lightning_loop.ORDER, "keras": keras_loop.ORDER}


@dataclass(frozen=True)
class Events:
    """Of one trial.

    Args:
        told: what rank 0 saw.
    """

    trial: Trial
    scenario: Scenario
    workload: Workload
    environment: Environment
    told: History

    @cached_property
    def expected(self) -> Expected | None:
        """None where no model says what must happen: in a loop of one's own, where training was resumed or done in
        several parts, where a script did nothing of the kind, and on a user's own data where early stopping is not told
        a figure of validation in every epoch."""
        plan = self._plan
        resumed = self.workload.schedule.stopped_at is not None or len(list(self.told.select("trial", "invoke"))) > 1
        in_parts = sum(each.f.startswith("Trainer.") and each.type == "invoke" for each in self.told.operations) > 1
        if plan is None or self.trial.framework not in ORDERS or resumed or in_parts or not plan.batches["train"]:
            return None
        if self.scenario.data and not plan.validates(0) and any(owner.kind == "monitor" for owner in plan.owners):
            return None
        return self._loop(plan).expected()

    @cached_property
    def seen(self) -> list[tuple[Event, Operation]]:
        """Hooks and steps that began; sanity checking, and steps outside of epochs, aside."""
        if self._plan is None:
            return []
        in_epochs = {*self.order.of_epochs}
        known = {owner.names(hook): hook for owner in self._plan.owners for hook in owner.hooks}
        found = []
        for operation in self.told.operations:
            if operation.type != "invoke" or operation.stage == "sanity":
                continue
            if operation.f == STEP and operation.epoch is not None:
                found.append((Event(STEP, operation.stage, operation.epoch, operation.batch), operation))
            elif operation.f in known:
                of = (operation.stage, operation.epoch) if known[operation.f] in in_epochs else (None, None)
                found.append((Event(operation.f, *of), operation))
        return found

    @property
    def foreseen(self) -> int:
        """How many events, from the first on, are just those that were to be seen."""
        wanted = self.expected.events if self.expected else ()
        for count, (event, (seen, _)) in enumerate(zip(wanted, self.seen, strict=False)):
            if event != seen:
                return count
        return min(len(wanted), len(self.seen))

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Of the hooks that are seen."""
        return self._plan.owners if self._plan else ()

    @property
    def order(self) -> Order:
        return ORDERS[self.trial.framework]

    @cached_property
    def _plan(self) -> Plan | None:
        noted = self.told.first("plan")
        if noted is None or self.trial.framework not in ORDERS:
            return None
        stages = noted.value["stages"]
        share = self.workload.of_rank(0, self.trial.processes)
        batches = {stage: len(share.batches(stage)) if stage in stages else 0 for stage in STAGES}
        numbers = {stage: share.numbers(stage) for stage in STAGES}
        owners = tuple(self._owners(noted))
        return Plan(owners, batches, numbers, self.workload.schedule, self.trial.faults, self.scenario.refuses)

    def _owners(self, plan: Operation) -> Iterator[Owner]:
        known = self.order.hooks
        for owner in (*plan.value["owners"], {"name": "", "kind": "module", "hooks": plan.value["hooks"]}):
            yield Owner(owner["name"], owner["kind"], tuple(hook for hook in owner["hooks"] if hook in known))
        if "finalize" in known:
            yield Owner("Logger", "logger", ("finalize",))

    def _loop(self, plan: Plan) -> Loop:
        if self.trial.framework == "keras":
            return KerasLoop(plan)
        return LightningLoop(plan, lightning_loop.rules(self.environment.meets))
