"""Two environments, the same trials in both: what is different, seen twice, and what it costs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from harness.catalog import Catalog
from harness.comparison import accepted as accepting
from harness.comparison import differences as classes
from harness.comparison import observables
from harness.comparison.accepted import Accepted
from harness.comparison.differences import Key
from harness.comparison.result import Collected, Comparison, OneSided, Side, Undecided
from harness.comparison.runs import claim_changes, collect
from harness.comparison.seen import Seen, seen
from harness.engine import plan
from harness.engine.engines import Engine
from harness.engine.local import DEFAULT_LIMIT_S
from harness.engine.trial import Trial
from harness.errors import HarnessError
from harness.faults.selection import EVERY_FAULT, Faults
from harness.judging import Judged
from harness.progress import Quiet
from harness.run import Progress, Run
from harness.run import Request as RunRequest
from harness.run_directory import RunDirectory
from harness.scenario import DEFAULT_FRAMEWORK
from harness.upgrade import timing
from harness.upgrade.confirming import Confirmed, Confirming
from harness.upgrade.environments import OF_TORCH, Provided, hold
from harness.upgrade.measuring import CostComparison, Measuring, can_be_measured
from harness.upgrade.profiles import DEFAULT_BUDGET_S, FULL, QUICK, chosen
from harness.upgrade.sides import BASELINE, CANDIDATE, SIDES
from harness.workloads import library
from harness.workloads.workload import Workload

MUST_AGREE = (classes.BREAKS, classes.NUMBER, classes.ORDER)  # before anything is timed
MEASURED = "strategies"  # the document whose scenarios are about cost

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        budget_s: seconds that timing may take; none is timed with 0.
        accepted: differences that are.
    """

    filters: tuple[str, ...] = ()
    faults: Faults = EVERY_FAULT
    seed: int = 0
    jobs: int = 2
    limit_s: float = DEFAULT_LIMIT_S
    profile: str = FULL
    budget_s: float = DEFAULT_BUDGET_S
    fail_on: tuple[str, ...] = classes.REGRESSIONS
    accepted: tuple[Accepted, ...] = ()

    @property
    def quick(self) -> bool:
        return self.profile == QUICK


def execute(
    catalog: Catalog,
    request: Request,
    sides: tuple[Provided, Provided],
    labels: tuple[str, str],
    out: Path,
    progress: Progress,
    tell: Tell,
) -> Comparison:
    """Run the trials of both sides, compare them, and leave in the folder `out`: `baseline/` and `candidate/`, two run
    directories, `upgrade.json` and `upgrade.md`.

    Raises:
        HarnessError: with the exit code that says what kind of failure it was.
    """
    upgrade = _Upgrade(catalog, request, sides, labels, out, progress, tell)
    try:
        upgrade.carry_out()
        upgrade.end("complete")
    except KeyboardInterrupt:
        upgrade.end("interrupted")
    except BaseException:
        with suppress(Exception):  # of two failures, the first is told
            upgrade.end("failed")
        raise
    else:
        upgrade.time()
    comparison = upgrade.comparison()
    comparison.write(out, "upgrade")
    return comparison


def in_turns(running: Sequence[Iterator[Judged]], in_a_row: int) -> Iterator[tuple[int, Judged]]:
    """So many of the first, so many of the next, and so on until all have ended; each with the number of its side."""
    left = dict(enumerate(running))
    while left:
        for number, trials in [*left.items()]:
            judged = None
            for judged in islice(trials, in_a_row):
                yield number, judged
            if judged is None:
                del left[number]


class _Upgrade:
    """An upgrade as far as it was looked into."""

    def __init__(
        self,
        catalog: Catalog,
        request: Request,
        sides: tuple[Provided, Provided],
        labels: tuple[str, str],
        out: Path,
        progress: Progress,
        tell: Tell,
    ) -> None:
        self.catalog, self.request, self.sides, self.labels = catalog, request, sides, labels
        self.progress, self.tell = progress, tell
        self.frameworks = self._frameworks()
        self.left_out = self._left_out()
        asked = [
            each
            for each in plan.asked(catalog, request.filters, request.faults)
            if each.scenario.framework in self.frameworks
        ]
        names = dict.fromkeys(each.workload for each in asked)
        self.workloads: dict[str, Workload] = {name: library.build(name, request.seed) for name in names}
        wanted = chosen(request.profile, asked, self.workloads, every_pattern=bool(request.filters))
        # Half of the jobs each: both sides go on at the same time.
        jobs = max(1, request.jobs // 2)
        self.runs = [
            Run(
                RunDirectory.create(out / name),
                RunRequest(
                    request.filters,
                    request.faults,
                    device="cpu",
                    seed=request.seed,
                    jobs=jobs,
                    limit_s=request.limit_s,
                    python=side.interpreter,
                    where=side.where,
                ),
                lambda trial: trial.framework in self.frameworks and wanted(trial),
            )
            for name, side in zip(SIDES, sides, strict=True)
        ]
        self.collected = Collected()
        self.measuring = Measuring(sides, catalog.packages, request.seed, tell)
        self.measured = CostComparison()
        self.timed: list[Trial] = []
        self.stopped = ""
        self.confirmed: Confirmed | None = None  # until trials that differ have been run once more
        self.deprecations: set[str] = set()
        self.trials: dict[Key, Trial] = {}

    def carry_out(self) -> None:
        """All but the clock."""
        with ExitStack() as stack:
            warm = [stack.enter_context(run.engines(self.frameworks, self.catalog.packages)) for run in self.runs]
            for side, engines in zip(self.sides, warm, strict=True):
                for environment in engines.environments.values():
                    hold(side, environment.found["packages"])
            self._compare(warm)
            found = self.collected.differences
            if found:
                self.tell("trials that differ are run once more on both sides")
            confirming = Confirming(self.runs, warm, self.catalog, self.workloads, self.trials)
            self.confirmed = confirming.confirm(found, self.request.fail_on)
            self._count(warm)

    def end(self, status: str) -> None:
        for run in self.runs:
            run.end(status)

    # Which trials

    def _frameworks(self) -> list[str]:
        """Lightning; loops in torch too, if the sides differ in what these run on, or if they are asked for."""
        a, b = (side.installed for side in self.sides)
        differ = any(a.get(name) != b.get(name) for name in OF_TORCH)
        selected = self.catalog.frameworks(self.request.filters)
        if self.request.filters:
            return selected
        wanted = (DEFAULT_FRAMEWORK, "torch") if differ else (DEFAULT_FRAMEWORK,)
        return [framework for framework in selected if framework in wanted]

    def _left_out(self) -> tuple[str, ...]:
        others = [each for each in self.catalog.frameworks(self.request.filters) if each not in self.frameworks]
        return (f"left out: scenarios of {' and '.join(others)}, which run nothing that differs",) if others else ()

    # What they show

    def _compare(self, warm: Sequence[Engine]) -> None:
        """Both sides go on side by side; a trial is compared as soon as both are through with it."""
        running = [
            run.carry_out(self.catalog, self.workloads, engines, progress)
            for run, engines, progress in zip(self.runs, warm, (self.progress, Quiet()), strict=True)
        ]
        waiting: list[dict[Key, Seen]] = [{}, {}]
        for side, judged in in_turns(running, max(engines.in_a_row for engines in warm)):
            self._seen(side, judged, waiting)
        for name, left in zip(SIDES, waiting, strict=True):
            other = self.runs[1 - SIDES.index(name)]
            reasons = {
                (item.scenario, item.workload, item.fault): item.reason
                for item in (other.planned.unavailable if other.planned else ())
            }
            for key in left:
                reason = reasons.get((key.scenario, key.workload, key.fault), "")
                self.collected.one_sided.append(OneSided.of(key, name, reason, baseline=name == BASELINE))

    def _seen(self, side: int, judged: Judged, waiting: list[dict[Key, Seen]]) -> None:
        if not judged.findings:
            return
        one = seen(judged.findings, judged.history)
        if side == SIDES.index(CANDIDATE):
            self.deprecations |= observables.deprecations(judged.history)
        self.trials[one.key] = judged.trial
        other = waiting[1 - side].pop(one.key, None)
        if other is None:
            waiting[side][one.key] = one
        else:
            a, b = (one, other) if side == 0 else (other, one)
            collect(self.collected, a, b)

    # What it costs

    def _count(self, warm: Sequence[Engine]) -> None:
        """What a step costs in scenarios whose figures agree."""
        differences = self.confirmed.differences if self.confirmed else ()
        differ = {each.key.scenario for each in differences if each.kind in MUST_AGREE}
        here = {
            trial.scenario: trial
            for trial in self.trials.values()
            if can_be_measured(trial, scenario := self.catalog.scenarios[trial.scenario])
            and (scenario.document == MEASURED or self.request.filters)
        }
        agreeing = [trial for scenario, trial in sorted(here.items()) if scenario not in differ]
        if not agreeing:
            why = "what is measured is an epoch of training on digits, and none of these scenarios aggregates over one"
            if here:
                why = "of the scenarios that can be, none gives the same figures on both sides"
            self.measured.notes.append(f"nothing was measured: {why}")
            return
        timed = [trial for trial in agreeing if trial.scenario in timing.SCENARIOS]
        self.timed = timed or agreeing[: len(timing.SCENARIOS)]
        self.measuring.count(self.timed if self.request.quick else agreeing, warm, self.measured)

    def time(self) -> None:
        """With no other process of the harness beside it. Whatever ends it, what was found before stands."""
        if not self.timed or self.request.quick or self.request.budget_s <= 0:
            return
        try:
            self.measuring.time(self.timed, self.request.budget_s, self.measured)
        except KeyboardInterrupt:
            self.stopped = "interrupted while it was timed"
        except HarnessError as error:
            self.measured.notes.append(f"timing failed: {error}")
        except Exception as error:  # noqa: BLE001  # as the docstring says
            self.stopped = f"timing failed: {type(error).__name__}: {error}"

    # What came of it

    def comparison(self) -> Comparison:
        request, collected = self.request, self.collected
        versions = {name: side.lightning for name, side in zip(SIDES, self.sides, strict=True)}
        confirmed = self.confirmed or Confirmed(
            undecided=[Undecided(each.key, f"{each.what}, which was seen once only") for each in collected.differences]
        )
        marked, unused = accepting.apply(
            request.accepted, [*confirmed.differences, *self.measured.differences], versions
        )
        a, b = (
            Side(label, side.title, run.status, side.interpreter)
            for label, side, run in zip(self.labels, self.sides, self.runs, strict=True)
        )
        told = [[decision.to_json() for decision in run.decisions] for run in self.runs]
        return Comparison(
            a=a,
            b=b,
            compared=collected.compared,
            differences=tuple(marked),
            one_sided=tuple(collected.one_sided),
            undecided=(*collected.undecided, *confirmed.undecided, *self.measured.undecided),
            unstable=tuple(confirmed.unstable),
            claims=tuple(claim_changes(*told)),
            deprecations=tuple(sorted(self.deprecations)),
            unused=tuple(entry for entry in unused if self._was_looked_at(entry)),
            stopped=self.stopped,
            left_out=self.left_out,
            notes=(*self.measured.notes, *self._unexpected()),
            given=self.catalog.given,
            fail_on=request.fail_on,
            cost=self.measured.to_json(),
            seed=request.seed,
        )

    def _was_looked_at(self, entry: Accepted) -> bool:
        """Whether every trial was run that an entry names, and timed, if it is about time."""
        if any(run.status != "complete" for run in self.runs) or (not self.measured.timed and entry.is_about_time):
            return False
        planned = [run.planned for run in self.runs if run.planned]
        chosen = {(each.scenario, each.workload, each.fault) for of in planned for each in of.trials}
        chosen |= {(each.scenario, each.workload, each.fault) for of in planned for each in of.unavailable}
        every = (each for each in plan.asked(self.catalog, ()) if each.scenario.framework in self.frameworks)
        left = {(each.scenario.id, each.workload, each.fault) for each in every} - chosen
        return not any(entry.names(*each) for each in left)

    def _unexpected(self) -> Iterator[str]:
        """What is wrong on both sides is no difference, and is told all the same."""
        for name, run in zip(SIDES, self.runs, strict=True):
            if (first := run.verdicts.first) is not None:
                yield (
                    f"in the {name}, {run.verdicts.unexpected} findings are not as expected, the first of them: "
                    f"{first.scenario} on {first.on}: {first.aggregate} is {first.verdict}, expected "
                    f"{first.expected_verdict}"
                )
