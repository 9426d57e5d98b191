"""The faults that scenarios run under, by name: one of every kind and stage, aimed at the middle of an epoch."""

from harness.faults.fault import KINDS, NONE, Fault

Schedule = tuple[Fault, ...]

EPOCH, BATCH, RANK = 1, 2, 1

# One batch, or an epoch, says too little about these.
FURTHER: dict[str, Schedule] = {
    "loader.empty_epoch": (Fault("loader", "runs_dry", epoch=EPOCH, batch=0),),
    "loader.empty_epoch.validation": (Fault("loader", "runs_dry", "validation", EPOCH, 0),),
    "step.labels_broadcast.every_batch": (Fault("step", "labels_broadcast", epoch=EPOCH),),
    "step.returns_none.every_batch": (Fault("step", "returns_none", epoch=EPOCH),),
    "callback.raises_twice": (
        Fault("callback", "raises_before", epoch=EPOCH),
        Fault("callback", "raises_after", epoch=EPOCH),
    ),
}  # fmt: skip


def _of_every_kind() -> dict[str, Schedule]:
    found: dict[str, Schedule] = {}
    for (family, kind), rules in KINDS.items():
        for stage in rules.stages:
            suffix = "" if stage == rules.stages[0] else f".{stage}"
            epoch = 0 if rules.at == "stage" else EPOCH
            # Of several ranks, each has a part of the batches.
            number = BATCH if stage == "train" and rules.ranks == 1 else BATCH - 1
            batch = number if rules.at == "batch" else None
            rank = RANK if rules.ranks > 1 else 0
            found[f"{family}.{kind}{suffix}"] = (Fault(family, kind, stage, epoch, batch, rank),)
    return found


SCHEDULES: dict[str, Schedule] = {NONE: (), **_of_every_kind(), **FURTHER}
NAMES = tuple(SCHEDULES)


def unheeded(schedule: Schedule, framework: str, ranks: int) -> str:
    """Why a schedule cannot be injected there; empty if it can."""
    for fault in schedule:
        if framework not in fault.rules.frameworks:
            return f"{fault.name} cannot be injected into {framework}"
        if fault.rules.ranks > ranks or fault.rank >= ranks:
            return f"{fault.name} needs {max(fault.rules.ranks, fault.rank + 1)} ranks, and the scenario has {ranks}"
    return ""


def names_of(fault: Fault) -> set[str]:
    """Those of the faults that have a name under which this one is known, wherever it is aimed."""
    first, *_ = fault.rules.stages
    suffix = "" if fault.stage == first else f".{fault.stage}"
    names = {f"{fault.name}{suffix}"}
    if fault.name == "loader.runs_dry" and fault.batch == 0:
        names = {f"loader.empty_epoch{suffix}"}
    if fault.batch is None and fault.rules.at == "batch":
        names |= {f"{fault.name}{suffix}.every_batch"}
    return names
