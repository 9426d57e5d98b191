"""What each way to aggregate costs over a loop that reports nothing: judged first, then counted, then timed."""

import os
import platform
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import harness
from harness.bench.costs import CONFIDENCE, COUNTERS, Compared, Cost, Counter, Memory, Pair
from harness.bench.measuring import BATCH, DATASET, Measured, Measurer, failure
from harness.bench.statistics import fewest
from harness.catalog import Catalog
from harness.engine import plan
from harness.engine.local import DEFAULT_LIMIT_S, Engines, Job, engines
from harness.engine.trial import Trial
from harness.environment import Environment, together
from harness.errors import HarnessError
from harness.faults.selection import NO_FAULT
from harness.judging import judge_outcome
from harness.scenario import Scenario
from harness.workloads import library

EXIT_DONE, EXIT_UNDECIDED = 0, 3
LIGHTNING = "lightning"
# What a framework's scenarios are compared with.
BARE = {
    LIGHTNING: "strategies/bare_loop/control",
    "keras": "strategies/keras_bare_loop/control",
    "torch": "strategies/plain_bare_loop/control",
}
LOGGED = "strategies/log_on_epoch/control"
DEFAULT_FILTERS = ("strategies/*",)
# Besides the yardsticks: how figures get out of a step, and where they are added up.
SHORT_FILTERS = (
    "strategies/logged_value/as_documented", "strategies/logged_metric/migrated", "strategies/device_sums/recommended",
)  # fmt: skip
SHORT_BATCHES = 40

Tell = Callable[[str], None]


def yardsticks(framework: str) -> tuple[str, ...]:
    return (BARE[framework], LOGGED) if framework == LIGHTNING else (BARE[framework],)


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        batches: of an epoch that is counted or timed.
        rounds: how many pairs of processes are timed of every scenario.
        jobs: trials side by side, where nothing is timed.
        limit_s: seconds that one trial, or one process that measures, may take.
    """

    filters: tuple[str, ...] = ()
    device: str = "cpu"
    seed: int = 0
    batches: int = 100
    rounds: int = 10
    jobs: int = 2
    limit_s: float = DEFAULT_LIMIT_S

    @property
    def memory_batches(self) -> tuple[int, int, int]:
        """Of the epochs in which memory is measured: what grows with every batch is seen to grow twice."""
        return (self.batches // 4, self.batches, self.batches * 4)


def short(filters: tuple[str, ...], device: str, seed: int, limit_s: float) -> Request:
    """What there is time for in every report: some strategies of Lightning, unless others are asked for."""
    return Request(
        filters or SHORT_FILTERS, device, seed, batches=SHORT_BATCHES, rounds=fewest(CONFIDENCE), limit_s=limit_s
    )


@dataclass
class Bench:
    """What was found so far.

    Attributes:
        left_out: by scenario, why it was not benchmarked.
    """

    request: Request
    environment: str = ""
    costs: dict[str, Cost] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def compared(self) -> list[Compared]:
        """What has been counted, framework by framework, the yardsticks first."""
        return [compared for framework in BARE for compared in self.compared_in(framework)]

    def compared_in(self, framework: str) -> list[Compared]:
        if BARE[framework] not in self.costs:
            return []
        first = yardsticks(framework)
        others = sorted(cost.scenario for cost in self.costs.values() if cost.framework == framework)
        return [
            Compared(
                self.costs[scenario], self.costs[BARE[framework]], self.costs.get(LOGGED) if LOGGED in first else None
            )
            for scenario in dict.fromkeys([*first, *others])
            if scenario in self.costs
        ]

    @property
    def too_noisy(self) -> list[str]:
        """The frameworks in which times say nothing."""
        return [framework for framework, bare in BARE.items() if bare in self.costs and self.costs[bare].too_noisy]

    @property
    def pairs(self) -> int:
        """How many pairs every scenario that is timed has at least."""
        return min((len(cost.pairs) for cost in self.costs.values() if cost.pairs), default=0)

    @property
    def decides(self) -> bool:
        """Whether there is something besides bare loops."""
        return bool(set(self.costs) - set(BARE.values()))

    @property
    def exit_code(self) -> int:
        """0 if something besides bare loops was measured to the end, else 3."""
        return EXIT_UNDECIDED if self.interrupted or not self.decides else EXIT_DONE

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "harness_version": harness.__version__,
            "status": "interrupted" if self.interrupted else "complete",
            "environment": self.environment,
            "machine": {"platform": platform.platform(), "processors": os.cpu_count()},
            "arguments": vars(self.request) | {"filters": list(self.request.filters)},
            "workload": {"dataset": DATASET, "batch_size": BATCH, "batches": self.request.batches},
            "confidence": CONFIDENCE,
            "too_noisy": self.too_noisy,
            "costs": [compared.to_json() for compared in self.compared],
            "left_out": [{"scenario": scenario, "reason": reason} for scenario, reason in self.left_out.items()],
        }


def execute(catalog: Catalog, request: Request, tell: Tell) -> Bench:
    """Judge, count and time. Ctrl-C ends it early, and what was measured is kept.

    Raises:
        HarnessError: with the exit code that says what kind of failure it was.
    """
    filters = request.filters or DEFAULT_FILTERS
    frameworks = catalog.frameworks(filters)  # a bad filter is told before anything is started
    bench = Bench(request)
    with tempfile.TemporaryDirectory(prefix="epoch-harness-bench-") as name:
        folder = Path(name)
        try:
            with engines(frameworks, request.jobs, request.limit_s) as warm:
                bench.environment = together(warm.environments).title
                tell(bench.environment)
                trials = _plan(bench, catalog, filters, warm.environments)
                trials = _judge(bench, trials, catalog, warm, folder, tell)
                _count(bench, trials, Measurer(warm, folder, request.seed), tell)
            if bench.decides and request.rounds:
                with engines({cost.framework for cost in bench.costs.values()}, limit_s=request.limit_s) as warm:
                    _time(bench, trials, Measurer(warm, folder, request.seed), tell)
        except KeyboardInterrupt:
            bench.interrupted = True
    return bench


def _plan(bench: Bench, catalog: Catalog, filters: Sequence[str], environments: dict[str, Environment]) -> list[Trial]:
    """The trials to judge, framework by framework, those of the yardsticks first; what cannot be benchmarked is noted
    with its reason."""
    selected = catalog.select(filters)
    compared_with = [scenario for framework in environments for scenario in yardsticks(framework)]
    first, asked = (
        plan.make(catalog, which, bench.request.device, bench.request.seed, environments, NO_FAULT)
        for which in (compared_with, filters)
    )
    for scenario in selected:
        if reason := not_comparable(scenario):
            bench.left_out[scenario.id] = reason
    for item in asked.unavailable:
        bench.left_out.setdefault(item.scenario, item.reason)
    trials = {trial.id: trial for trial in (*first.trials, *asked.trials)}.values()
    here = [trial for trial in trials if trial.workload.startswith(f"{DATASET}/")]
    for elsewhere in sorted({trial.scenario for trial in trials} - {trial.scenario for trial in here}):
        bench.left_out.setdefault(elsewhere, f"it is not declared for {DATASET}, which the bare loop trains on")
    left = [trial for trial in here if trial.scenario not in bench.left_out]
    asked_for = {scenario.id for scenario in selected}
    needed = {trial.framework for trial in left if trial.scenario in asked_for}
    return sorted((trial for trial in left if trial.framework in needed), key=lambda trial: trial.framework)


def not_comparable(scenario: Scenario) -> str:
    """Why a scenario has nothing that the bare loop could be compared with; empty if it has."""
    if scenario.ranks > 1:
        return "its ranks share an epoch, and the bare loop has one"
    if all(aggregate.stage != "train" for aggregate in scenario.aggregates):
        return "it aggregates nothing in training, which is what is measured"
    return ""


def _judge(
    bench: Bench, trials: Sequence[Trial], catalog: Catalog, warm: Engines, folder: Path, tell: Tell
) -> list[Trial]:
    """One trial of every scenario whose findings are all as expected, and which trains to the end."""
    workloads = {name: library.build(name, bench.request.seed) for name in {trial.workload for trial in trials}}
    for name, workload in workloads.items():
        workload.save(folder / f"{name.replace('/', '.')}.npz")
    jobs = [
        Job(
            trial,
            folder / f"{trial.workload.replace('/', '.')}.npz",
            folder / f"{trial.id}.jsonl",
            folder / f"{trial.id}.txt",
        )
        for trial in trials
    ]
    tell(f"judging {len({trial.scenario for trial in trials})} scenarios before they are measured")
    for job, outcome in zip(jobs, warm.run(jobs), strict=True):
        scenario = job.trial.scenario
        environment = warm.environments[job.trial.framework]
        judged = judge_outcome(outcome, catalog, workloads[job.trial.workload], job.history, environment)
        unexpected = [finding for finding in judged.findings if not finding.as_expected]
        if unexpected:
            first = unexpected[0]
            bench.left_out.setdefault(
                scenario,
                f"its findings are not as expected: on {first.workload} {first.aggregate} is {first.verdict}, "
                f"expected {first.expected_verdict}",
            )
        elif outcome.status != 0:
            bench.left_out.setdefault(scenario, f"it does not train to the end: {failure(job.history, outcome)}")
    for framework in {trial.framework for trial in trials}:
        _insist_on(yardsticks(framework), bench)
    return list({trial.scenario: trial for trial in trials if trial.scenario not in bench.left_out}.values())


def _insist_on(yardsticks: Sequence[str], bench: Bench) -> None:
    """Raises HarnessError: what others are compared with is left out."""
    for yardstick in yardsticks:
        if yardstick in bench.left_out:
            raise HarnessError(f"{yardstick}, with which the others are compared: {bench.left_out[yardstick]}")


def _count(bench: Bench, trials: Sequence[Trial], measurer: Measurer, tell: Tell) -> None:
    """Every counter and the memory, each in two processes of its own."""
    request = bench.request
    passes = [(counter, request.batches) for counter in COUNTERS]
    passes += [("memory", batches) for batches in request.memory_batches]
    passes = [each for each in passes for _ in range(2)]
    requests = [(trial, measure, batches) for trial in trials for measure, batches in passes]
    networks = {}
    with closing(measurer.measure(requests)) as measured:
        for number, trial in enumerate(trials, 1):
            tell(f"counting {number} of {len(trials)}: {trial.scenario}")
            found = list(islice(measured, len(passes)))
            if failed := [each.failure for each in found if each.failure]:
                bench.left_out[trial.scenario] = f"it could not be measured: {failed[0]}"
                _insist_on(yardsticks(trial.framework), bench)
                continue
            networks[trial.scenario] = found[0].value["network"]
            if networks[trial.scenario] != networks[BARE[trial.framework]]:
                bench.left_out[trial.scenario] = "it trains another network than the bare loop"
                continue
            bench.costs[trial.scenario] = _cost(trial, passes, found)


def _cost(trial: Trial, passes: Sequence[tuple[str, int]], found: Sequence[Measured]) -> Cost:
    cost = Cost(trial.scenario, trial.framework)
    for (measure, batches), first, second in zip(passes[::2], found[::2], found[1::2], strict=True):
        if first.value != second.value:
            cost.unstable.append(measure if measure in COUNTERS else f"{measure} at {batches} batches")
        if measure in COUNTERS:
            cost.counters[measure] = Counter.of(first.value["steps"], first.value["epoch"])
        else:
            rss = first.outcome.peak_rss_bytes or 0
            cost.memory.append(Memory(batches, first.value["peak"], first.value["retained"], rss))
    return cost


def _time(bench: Bench, trials: Sequence[Trial], measurer: Measurer, tell: Tell) -> None:
    """Pairs of processes, the bare loop and a scenario (itself too), in rounds over all scenarios."""
    by_scenario = {trial.scenario: trial for trial in trials}
    draw = random.Random(bench.request.seed)
    for number in range(1, bench.request.rounds + 1):
        tell(f"timing: round {number} of {bench.request.rounds}")
        for scenario, cost in bench.costs.items():
            if scenario in bench.left_out:
                continue
            bare_first = draw.random() < 0.5
            bare = BARE[cost.framework]
            pair = [bare, scenario] if bare_first else [scenario, bare]
            found = list(measurer.measure([(by_scenario[each], "seconds", bench.request.batches) for each in pair]))
            if failed := [each.failure for each in found if each.failure]:
                bench.left_out[scenario] = f"it was counted, and could then not be timed: {failed[0]}"
                continue
            first, second = (each.value["seconds_per_step"] for each in found)
            cost.pairs.append(Pair(first, second, True) if bare_first else Pair(second, first, False))
