"""Was every sample used just as the schedule plans in every pass, on the rank that it is given to? Those that were not
are named.

Where ranks are given samples once more, so that all have as many, a second finding names those, with the rank that had
them once more: they count twice in whatever is added up over ranks.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.checkers.case import Case
from harness.checkers.turns import Pass, named
from harness.findings import Finding
from harness.history.reader import Operation
from harness.workloads.sharing import DEALT, is_drawn

SHOWN = 8

Samples = Counter[int]


def check(case: Case) -> list[Finding]:
    """A finding for each stage; two if ranks share it otherwise than each sample once."""
    if not case.completed:
        return []
    once = [_once(case, stage) for stage in case.stages if case.trial.processes > 1 and case.workload.sharing != DEALT]
    return [*(_as_planned(case, stage) for stage in case.stages), *once]


def _as_planned(case: Case, stage: str) -> Finding:
    planned = _shares(case, stage)
    drawn = is_drawn(case.workload.sharing, stage, len(planned))
    problems, evidence = [], []
    for of, operations in _passes(case, stage).items():
        seen = _by_rank(operations, len(planned))
        if of not in case.passes(stage):
            told = ["ran, and was not planned"]
        else:
            told = [*(_in_any_order if drawn else _apart)(planned, seen)]
        problems += [f"{named(of)}: {each}" for each in told]
        evidence += [operation.line for operation in operations] if told else []
    return case.property_finding(
        "samples", stage, "violated" if problems else "ok", message="; ".join(problems), evidence=evidence
    )


def _once(case: Case, stage: str) -> Finding:
    given = sum(_shares(case, stage), Counter())
    problems, evidence = [], []
    for of, operations in _passes(case, stage).items():
        again = [*_given_again(operations, case.trial.processes)]
        problems += [f"{named(of)}: given out once more: {_name(samples)}{_on(rank)}" for rank, samples in again]
        evidence += [operation.line for operation in operations] if again else []
    return case.property_finding(
        "samples", f"{stage}, each once", "violated" if problems else "ok", message="; ".join(problems),
        evidence=evidence, otherwise="violated" if given.total() > len(given) else "ok",
    )  # fmt: skip


def _passes(case: Case, stage: str) -> dict[Pass, list[Operation]]:
    """The steps that completed, of every pass that was planned or seen."""
    completed: dict[Pass, list[Operation]] = {of: [] for of in case.passes(stage)}
    for operation in case.history.select("batch", "ok", stage=stage):
        if operation.epoch is not None:
            completed.setdefault(case.turns.of(operation, stage, operation.epoch), []).append(operation)
    return completed


def _by_rank(operations: list[Operation], ranks: int) -> list[Samples]:
    """Replicas of Keras, which share each batch, are no ranks."""
    if ranks == 1:
        return [_samples(each.value["ids"] for each in operations)]
    return [_samples(each.value["ids"] for each in operations if each.rank == rank) for rank in range(ranks)]


def _shares(case: Case, stage: str) -> list[Samples]:
    ranks = case.trial.processes
    return [_samples(case.workload.of_rank(rank, ranks).batches(stage)) for rank in range(ranks)]


def _samples(batches: Iterable[Iterable[int]]) -> Samples:
    return Counter(sample for batch in batches for sample in batch)


def _apart(planned: list[Samples], seen: list[Samples]) -> Iterator[str]:
    for rank, (wanted, had) in enumerate(zip(planned, seen, strict=True)):
        on = _on(rank) if len(planned) > 1 else ""
        if dropped := wanted - had:
            yield f"dropped {_name(dropped)}{on}"
        if doubled := had - wanted:
            yield f"doubled {_name(doubled)}{on}"


def _in_any_order(planned: list[Samples], seen: list[Samples]) -> Iterator[str]:
    """Which rank has which sample is not known beforehand; how many each has, and that none is left out, is."""
    if dropped := Counter({*sum(planned, Counter())}) - sum(seen, Counter()):
        yield f"dropped {_name(dropped)}"
    for rank, (wanted, had) in enumerate(zip(planned, seen, strict=True)):
        if had.total() != wanted.total():
            yield f"{had.total()} samples in place of {wanted.total()}{_on(rank)}"


def _given_again(operations: list[Operation], ranks: int) -> Iterator[tuple[int, Samples]]:
    """What each rank had that it, or another, had before: batch by batch, all ranks side by side."""
    places: Counter[int] = Counter()
    placed = []
    for operation in operations:
        placed.append((places[operation.rank], operation.rank, operation.value["ids"]))
        places[operation.rank] += 1
    seen: set[int] = set()
    again = [Counter[int]() for _ in range(ranks)]
    for _, rank, ids in sorted(placed):
        for sample in ids:
            if sample in seen and rank < ranks:
                again[rank][sample] += 1
            seen.add(sample)
    return ((rank, samples) for rank, samples in enumerate(again) if samples)


def _on(rank: int) -> str:
    return f" on rank {rank}"


def _name(samples: Samples) -> str:
    ids = sorted(samples)
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{len(ids)} samples ({', '.join(map(str, ids[:SHOWN]))}{more})"
