"""A workload whose name says all of it, so that any partition and schedule replay from the command line.

`train=2x32+5,validation=3+1~7,accumulate=2,validate_after=0.5` is a partition, as `partitions` writes it, and what the
schedule has other than by default, by the names in `Schedule`: a whole number is one of batches or epochs, a fraction
one of a pass. Last may stand how ranks share it: `shared=padded` (`harness.workloads.sharing`).
"""

import re
from dataclasses import fields
from typing import Any

from harness.errors import UsageError
from harness.workloads import partitions
from harness.workloads.partitions import Partition
from harness.workloads.schedule import Limit, Schedule
from harness.workloads.sharing import DEALT, SHARINGS

LONGEST = 160  # It is part of a history's file name, which 255 bytes must hold.
_COUNTS = ("epochs", "accumulate", "validate_every")
_LIMITS = ("train_limit", "validation_limit", "validate_after")
_PART = re.compile(r"(\w+)=([1-9]\d*|0?\.\d*[1-9]\d*)")


def is_written_out(workload: str) -> bool:
    """Whether a workload's name holds its partition; otherwise it is listed, or a glob."""
    return "=" in workload


def write(partition: Partition, schedule: Schedule, sharing: str = DEALT) -> str:
    usual = Schedule()
    parts = [
        f",{field.name}={getattr(schedule, field.name)}"
        for field in fields(Schedule)
        if getattr(schedule, field.name) != getattr(usual, field.name)
    ]
    parts += [] if sharing == DEALT else [f",shared={sharing}"]
    return f"{partition}{''.join(parts)}"


def parse(text: str) -> tuple[Partition, Schedule, str]:
    """Raises:
    UsageError: malformed, or longer than `LONGEST`.
    """
    if len(text) > LONGEST:
        raise UsageError(f"workload {text!r} is longer than {LONGEST} characters")
    before, is_said, shared = text.partition(",shared=")
    train, validation, *others = [*before.split(","), ""]
    partition = partitions.parse(",".join(filter(None, (train, validation))))
    parts: dict[str, Any] = dict(_part(other) for other in others if other)
    return partition, Schedule(**parts), _sharing(shared) if is_said else DEALT


def _sharing(text: str) -> str:
    if text not in SHARINGS:
        raise UsageError(f"ranks cannot share batches as {text!r}: behind shared= may stand {', '.join(SHARINGS)}")
    return text


def _part(text: str) -> tuple[str, Limit]:
    found = _PART.fullmatch(text)
    name, number = found.groups() if found else ("", "")
    if name in _COUNTS and number.isdigit():
        return name, int(number)
    if name in _LIMITS:
        return name, int(number) if number.isdigit() else float(number)
    counts, limits = (", ".join(names) for names in (_COUNTS, _LIMITS))
    raise UsageError(
        f"malformed schedule {text!r}: behind the batches may stand whole numbers of {counts}, and, in batches or as a "
        f"fraction of a pass, {limits}, for example 'accumulate=2,train_limit=0.5'"
    )
