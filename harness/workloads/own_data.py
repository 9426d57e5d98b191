"""The workload of a trial on a user's own data: nothing is known of it before, and it is read off the history after."""

from dataclasses import replace

import numpy as np

from harness.history.reader import History, Operation
from harness.scenario import OWN_DATA, Scenario
from harness.workloads.schedule import Schedule
from harness.workloads.sharing import Batches
from harness.workloads.workload import Workload


def nothing_known() -> Workload:
    """What a trial is given."""
    return _workload((), ())


def seen(scenario: Scenario, history: History) -> Workload:
    """What a trial was trained and validated on: the batches of the first pass over each stage, by their ids; a later
    pass over others is held against them. Targets stand in the history, pass by pass. What limits left out was never
    seen, so that nothing is left to limit. Where the Trainer was told to stop, the epochs that ran are those planned.
    """
    passes = {stage: _first_pass(history, stage) for stage in ("train", "validation")}
    starts = [number for number, each in enumerate(passes["validation"]) if each.batch == 0]
    ends = [*starts[1:], len(passes["validation"])]
    loaders = tuple(end - start for start, end in zip(starts, ends, strict=True)) if len(starts) > 1 else ()
    schedule = Schedule.of_trainer({**scenario.trainer, "limit_train_batches": 1.0, "limit_val_batches": 1.0})
    if _stopped_in_order(history):
        schedule = replace(schedule, epochs=len(history.epochs("train")))
    return _workload(_ids(passes["train"]), _ids(passes["validation"]), loaders, schedule)


def _stopped_in_order(history: History) -> bool:
    """Whether `fit` returned since the Trainer was told to stop, as early stopping does."""
    returned = history.first("Trainer.fit", "ok")
    return returned is not None and returned.value.get("should_stop", False)


def _first_pass(history: History, stage: str) -> list[Operation]:
    taken: list[Operation] = []
    for operation in history.of_rank(0).select("batch", "ok", stage=stage):
        if taken and operation.value["ids"][:1] == [0]:
            break
        taken.append(operation)
    return taken


def _ids(steps: list[Operation]) -> Batches:
    return tuple(tuple(step.value["ids"]) for step in steps)


def _workload(
    train: Batches, validation: Batches, loaders: tuple[int, ...] = (), schedule: Schedule | None = None
) -> Workload:
    return Workload(
        name=OWN_DATA,
        task="",
        features=np.zeros((0, 0), np.float32),
        targets=np.zeros(0, np.float32),
        train=train,
        validation=validation,
        loaders=loaders,
        schedule=schedule or Schedule.of_trainer({}),
    )
