"""Plans of trainings for the models of loops, and what those give, in words."""

from dataclasses import replace

from harness.faults.fault import Fault
from harness.oracle.loops import Event, Owner, Plan
from harness.workloads.schedule import Schedule

EPOCHS = 3


def planned(train: int, validation: int, owners: tuple[Owner, ...], **schedule: object) -> Plan:
    """So many batches of each stage; three epochs, if `schedule` does not say otherwise."""
    batches = {"train": train, "validation": validation}
    numbers = {stage: range(count) for stage, count in batches.items()}
    return Plan(owners, batches, numbers, Schedule(**{"epochs": EPOCHS, **schedule}))


def in_step(kind: str, family: str = "step", batch: int | None = 1, **more: object) -> Fault:
    return Fault(family, kind, batch=batch, **more)


def words(events: tuple[Event, ...]) -> list[str]:
    return [replace(event, epoch=None).words for event in events]
