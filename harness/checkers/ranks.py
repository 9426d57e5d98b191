"""Did every rank that was asked for run? One that did not leaves figures that look right, of a part of the samples.

By the history alone: each rank wrote lines of its own, from a process of its own, and took a step of every stage that
it has batches of. Replicas of Keras share a process, and every batch.
"""

from harness.checkers.case import Case
from harness.findings import Finding
from harness.history.reader import Operation


def check(case: Case) -> list[Finding]:
    """One finding for each rank, where there are to be several."""
    ranks, are_replicas = case.trial.ranks, case.trial.processes == 1
    if ranks == 1 or not case.completed:
        return []
    written: dict[int, list[Operation]] = {rank: [] for rank in range(ranks)}
    for operation in case.history.operations:
        if operation.f not in ("exit", "record"):  # which the coordinator appends
            written.setdefault(operation.rank, []).append(operation)
    steps = {rank: [each for each in lines if each.f == "batch"] for rank, lines in written.items()}
    processes = {rank: {step.process for step in taken} for rank, taken in steps.items()}
    findings = []
    for rank in sorted(written):
        others = set().union(*(processes[other] for other in processes if other != rank))
        problem = ""
        if rank >= ranks:
            problem = f"ran, and {ranks} were asked for"
        elif not written[rank]:
            problem = f"never ran, and {ranks} were asked for"
        elif processes[rank] & others and not are_replicas:
            problem = "ran in the process of another rank"
        else:
            share = case.workload if are_replicas else case.workload.of_rank(rank, ranks)
            ran = {step.stage for step in steps[rank] if step.type == "ok"}
            idle = [stage for stage in case.stages if share.batches(stage) and stage not in ran]
            if idle:
                problem = f"took no step of {' and '.join(idle)}"
        findings.append(
            case.property_finding(
                "ranks",
                f"rank {rank}",
                "violated" if problem else "ok",
                message=problem,
                evidence=[each.line for each in written[rank][:1]],
            )
        )
    return findings
