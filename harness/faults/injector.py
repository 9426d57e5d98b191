"""Decides when a fault is due, and notes in the history that it fired."""

from collections.abc import Sequence
from typing import Any

from harness.faults.fault import Fault
from harness.history.recorder import Recorder


class Injector:
    """Of one process of a trial; asked by the adapter at each moment at which a fault can act.

    Args:
        faults: those of the trial's schedule.
        recorder: where it is noted that one fires; None notes nothing.
        fired: those that an earlier process of the same trial has seen fire already.
    """

    def __init__(self, faults: Sequence[Fault], recorder: Recorder | None, fired: Sequence[Fault] = ()) -> None:
        self._waiting = list(faults)
        for fault in fired:
            self._waiting.remove(fault)
        self._recorder = recorder
        self.rank = 0

    def plans(self, name: str, stage: str = "") -> bool:
        """Whether a fault called so, such as `loader.worker_killed`, is still to come in a stage, or in any."""
        return any(fault.name == name and stage in ("", fault.stage) for fault in self._waiting)

    def due(
        self,
        moment: str,
        stage: str | None,
        epoch: int | None,
        batch: int | None = None,
        kinds: Sequence[str] = (),
        rank: int | None = None,
    ) -> list[Fault]:
        """Those that are to fire now, in the order of the schedule.

        Args:
            kinds: names of the only ones that are asked for, such as `callback.raises_before`; empty for all.
            rank: of what asks; None for this process's own.
        """
        asking = self.rank if rank is None else rank
        return [
            fault
            for fault in self._waiting
            if fault.acts(moment, stage, epoch, batch) and fault.rank == asking and (not kinds or fault.name in kinds)
        ]

    def fire(self, fault: Fault, batch: int | None = None, value: Any = None, step: int | None = None) -> None:
        """Note that a fault fires, before it does: what it does may end the process.

        Args:
            batch: the one that it fires at.
            value: what it does in words or data, such as the exception that it raises.
        """
        if fault.batch is not None or fault.rules.at != "batch":
            self._waiting.remove(fault)
        if self._recorder is not None:
            self._recorder.write(
                "fault", "info", value, stage=fault.stage, epoch=fault.epoch, step=step, batch=batch, fault=fault.name
            )
