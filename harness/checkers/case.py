"""What a checker looks at: one trial, its scenario, its workload, its history, and where it ran."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np

from harness.checkers.events import Events
from harness.checkers.place import before
from harness.checkers.turns import Pass, Turns
from harness.engine.trial import Trial
from harness.environment import Environment
from harness.faults.library import names_of
from harness.findings import EpochVerdict, Finding, gravest
from harness.history.encoding import decode_array
from harness.history.reader import History, Operation
from harness.oracle.predictions import Batch
from harness.scenario import Expect, Scenario
from harness.workloads.workload import Workload

# What a rank's process raised, as the one that started it is told (`torch/multiprocessing/spawn.py`); which rank is the
# first to be told of is chance.
OF_A_RANK = re.compile(r"-- Process \d+ terminated with the following error: (?:\w+\.)*(\w+): (.*)", re.DOTALL)
BY_NAME_ONLY = ("process",)  # what is expected of everything excuses no killed process


@dataclass(frozen=True)
class Case:
    """What checkers are given.

    Attributes:
        reference: the trial that this one is to be the same as (`same_as`); None if it was not run, or has none.
    """

    trial: Trial
    scenario: Scenario
    workload: Workload
    history: History
    environment: Environment
    reference: "Case | None" = None

    @cached_property
    def told(self) -> History:
        """What rank 0 saw: the one that reports, where several ranks share an epoch."""
        return self.history.of_rank(0)

    @cached_property
    def share(self) -> Workload:
        """What rank 0 goes over."""
        return self.workload.of_rank(0, self.trial.processes)

    @property
    def failure(self) -> Operation | None:
        """The operation that says which exception ended the trial, if one did."""
        return self.history.first("trial", "fail")

    @property
    def completed(self) -> bool:
        return self.history.first("trial", "ok") is not None

    @property
    def planned_epochs(self) -> int:
        plan = self.history.first("plan")
        if plan is None:
            return 0
        return self.workload.schedule.epochs if self.scenario.data else int(plan.value["max_epochs"])

    @cached_property
    def turns(self) -> Turns:
        return Turns(self.history)

    @cached_property
    def events(self) -> Events:
        """Hooks and steps: those that were to be seen, and those that were."""
        return Events(self.trial, self.scenario, self.workload, self.environment, self.told)

    def batch(self, step: Operation) -> Batch:
        """What a step that completed saw, and what the model gave for it."""
        if step.line not in self._batches:
            ids, outputs, noted = tuple(step.value["ids"]), step.value["outputs"], step.value.get("targets")
            targets = decode_array(noted) if noted else self.workload.targets[list(ids)]
            self._batches[step.line] = Batch(
                ids=ids,
                outputs=decode_array(outputs).astype(np.float64),
                targets=targets.astype(np.float64),
                dtype=outputs["dtype"],
                rank=step.rank,
                ranks=self.trial.ranks,
                fit=max(0, bisect_right(self._fits, step.line) - 1),
            )
        return self._batches[step.line]

    @cached_property
    def _batches(self) -> dict[int, Batch]:
        """By the step's line: each is decoded once, whatever the number of figures."""
        return {}

    @cached_property
    def _fits(self) -> list[int]:
        return [start.line for start in self.told.select("on_fit_start", "info")]

    def passes(self, stage: str) -> list[Pass]:
        """Those that the schedule plans."""
        return [
            (epoch, turn) for epoch in range(self.planned_epochs) for turn in range(self.share.passes(stage, epoch))
        ]

    @property
    def stages(self) -> list[str]:
        """The stages that the module has a step for."""
        plan = self.history.first("plan")
        return [] if plan is None else list(plan.value["stages"])

    def out_of_sight(self, stage: str) -> bool:
        """Whether its steps run where nobody can record them: in another process, or in a copy of the module."""
        return bool(self.scenario.same_as) and stage not in self.stages

    @cached_property
    def _faults(self) -> set[str]:
        """The name of the schedule, and those of what is in it: a schedule from a file has a name of its own."""
        return {self.trial.fault}.union(*(names_of(fault) for fault in self.trial.faults))

    def expectation(self, checker: str, name: str) -> Expect | None:
        """What the scenario expects other than by default, here, of this finding."""
        for expect in self.scenario.expects:
            if (
                (checker == expect.checker or (checker not in BY_NAME_ONLY and fnmatchcase(checker, expect.checker)))
                and fnmatchcase(name, expect.aggregate)
                and fnmatchcase(self.trial.workload, expect.workload)
                and fnmatchcase(str(self.trial.ranks), expect.ranks)
                and any(fnmatchcase(fault, expect.fault) for fault in self._faults)
                and self.environment.meets(expect.needs)
            ):
                return expect
        return None

    def finding(
        self,
        checker: str,
        aggregate: str,
        verdict: str,
        expected: str,
        *,
        message: str = "",
        evidence: Sequence[int] = (),
        as_expected: bool | None = None,
        epoch: int | None = None,
        deciding: EpochVerdict | None = None,
        per_epoch: Sequence[EpochVerdict] = (),
    ) -> Finding:
        return Finding(
            trial=self.trial.id,
            scenario=self.trial.scenario,
            workload=self.trial.workload,
            fault=self.trial.fault,
            placement=self.trial.placement,
            checker=checker,
            aggregate=aggregate,
            verdict=verdict,
            expected_verdict=expected,
            as_expected=verdict == expected if as_expected is None else as_expected,
            message=message,
            epoch=deciding.epoch if deciding else epoch,
            observed=deciding.observed if deciding else None,
            truth=deciding.truth if deciding else None,
            prediction=deciding.prediction if deciding else None,
            bound=deciding.bound if deciding else None,
            evidence=tuple(evidence),
            per_epoch=tuple(per_epoch),
        )

    def property_finding(
        self,
        checker: str,
        name: str,
        verdict: str,
        *,
        message: str = "",
        evidence: Sequence[int] = (),
        epoch: int | None = None,
        otherwise: str = "ok",
    ) -> Finding:
        """A finding on a property; by default, `otherwise` is expected of it."""
        expect = self.expectation(checker, name)
        expected = expect.verdict if expect else otherwise
        # Of several faults, one may keep another from what is expected of it.
        as_expected = verdict in (expected, otherwise) if len(self.trial.faults) > 1 else None
        return self.finding(
            checker, name, verdict, expected,
            message=message, evidence=evidence, epoch=epoch, as_expected=as_expected,
        )  # fmt: skip

    def raised_finding(self, checker: str, name: str, otherwise: str) -> Finding:
        """The trial did not complete, so what was promised could not be delivered."""
        expect = self.expectation(checker, name)
        expected = expect.verdict if expect else otherwise
        if self.failure is None:
            place = before(self.told, len(self.history.operations) + 1)
            message = f"the trial's process ended before the trial did, {place.words}"
            return self.finding(
                checker, name, "unknown", expected, message=message, evidence=place.lines, epoch=place.epoch
            )
        place = before(self.told, self.failure.line)
        exception, said = _raised(self.failure)
        message = f"{exception}: {said} ({self.failure.value['where']}), {place.words}"
        as_expected = expected == "raised" and (not expect or expect.exception in ("", exception))
        if expected == "raised" and not as_expected and expect:
            message = f"expected {expect.exception}, got {message}"
        return self.finding(
            checker, name, "raised", expected,
            message=message, evidence=[*place.lines, self.failure.line], as_expected=as_expected, epoch=place.epoch,
        )  # fmt: skip

    def over_epochs(self, checker: str, name: str, epochs: list[EpochVerdict], expected: str) -> Finding:
        """The gravest epoch stands for the trial."""
        verdict = gravest([epoch.verdict for epoch in epochs])
        deciding = next(epoch for epoch in epochs if epoch.verdict == verdict)
        return self.finding(
            checker, name, verdict, expected,
            message=deciding.message, evidence=deciding.evidence, deciding=deciding, per_epoch=epochs,
        )  # fmt: skip


def _raised(failure: Operation) -> tuple[str, str]:
    """The type and message of the exception that ended a trial; of several ranks, those of a rank."""
    exception, message = failure.value["exception"], failure.value["message"]
    found = OF_A_RANK.fullmatch(message) if exception == "ProcessRaisedException" else None
    return (found[1], found[2]) if found else (exception, message)
