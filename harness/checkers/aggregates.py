"""Is the epoch's figure the true one? Or at least the one that the pattern's arithmetic must give?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.checkers import processes
from harness.checkers.case import Case
from harness.checkers.place import before, told
from harness.checkers.reference import same_weights, unusable
from harness.checkers.reports import Report, epoch_told, reports_of, undeclared
from harness.checkers.turns import Pass
from harness.findings import EpochVerdict, Finding, gravest
from harness.history.reader import Operation
from harness.oracle.across import across, over_each_sample_once
from harness.oracle.loops import STEP
from harness.oracle.measured import Measured
from harness.oracle.predictions import Batch, Epochs, over_the_epoch
from harness.scenario import Aggregate
from harness.workloads.sharing import DEALT


def check(case: Case) -> list[Finding]:
    """One finding for each figure. Where its steps ran out of sight, truth is over those of the trial that this one is
    to be the same as, in epochs that ended with the same weights.

    Under a fault it is judged in those passes that ended with something seen, or for which it is reported; whether they
    should have ended is for the hooks.
    """
    return [
        _judge_alone(case, aggregate)
        for aggregate in case.scenario.aggregates
        if case.environment.meets(aggregate.needs) and (not case.trial.faults or _passes(case, aggregate))
    ]


def truths(case: Case, aggregate: Aggregate) -> dict[Pass, Measured]:
    """Of every pass that was seen; none where a step did not show a prediction of every sample."""
    steps = _steps(case, aggregate)
    if any(_rows(step) != len(step.value["ids"]) for step in steps):
        return {}
    batches, _ = _batches(case, aggregate, steps)
    return {of: _truth(case, aggregate, [seen]) for of, seen in batches.items()}


def _truth(case: Case, aggregate: Aggregate, epochs: Epochs) -> Measured:
    """Where ranks are given samples once more, each counts once; otherwise all that was seen."""
    once = case.trial.processes > 1 and case.workload.sharing != DEALT
    return (over_each_sample_once if once else over_the_epoch)(aggregate.of, epochs)


def _prediction(case: Case, aggregate: Aggregate, epochs: Epochs, truth: Measured) -> Measured | None:
    if case.trial.ranks > 1:
        return across(aggregate.across, aggregate.predicts)(aggregate.of, epochs)
    return truth if aggregate.predicts is over_the_epoch else aggregate.predicts(aggregate.of, epochs)


def _passes(case: Case, aggregate: Aggregate) -> list[Pass]:
    passes = case.passes(aggregate.stage)
    if not case.trial.faults:
        return passes
    ended = _ended(case, aggregate)
    return [of for of in passes if of in ended or reports_of(case, aggregate, of)]


def _ended(case: Case, aggregate: Aggregate) -> set[Pass]:
    """Passes with a batch, of whose end callbacks were told. What a process failed or died in need not be reported."""
    order = case.events.order
    at_once = case.trial.framework == "keras"  # the figures of both stages are told when the epoch ends
    hook = order.epoch_end[0] if aggregate.stage == "train" or at_once else order.validation[1][0]
    told: set[Pass] = set()
    for operations in processes.of(case):
        epochs = [each.epoch for each in operations if each.f == STEP and each.epoch is not None]
        last = None if processes.ended(case, operations, "ok") else max(epochs, default=None)
        told |= {
            case.turns.of(each, aggregate.stage, each.epoch)
            for each in operations
            if (each.f, each.type) == (hook, "info") and each.stage != "sanity"
            if each.epoch is not None and each.epoch != last
        }
    steps = _steps(case, aggregate)
    return told & {case.turns.of(step, aggregate.stage, step.epoch) for step in steps if step.epoch is not None}


def _judge_alone(case: Case, aggregate: Aggregate) -> Finding:
    """A quantity or prediction that raises, which a scenario may bring, leaves the other figures alone."""
    try:
        return _judge(case, aggregate)
    except Exception as error:  # noqa: BLE001  # whatever it may raise
        return _unknown(case, aggregate, f"it could not be judged: {told(error)}")


def _judge(case: Case, aggregate: Aggregate) -> Finding:
    expect = case.expectation("aggregate", aggregate.label)
    if not case.completed and not case.trial.faults:
        return case.raised_finding("aggregate", aggregate.label, otherwise="exact")
    out_of_sight = case.out_of_sight(aggregate.stage)
    if out_of_sight and (reason := unusable(case)):
        return _unknown(case, aggregate, f"its steps ran where nobody could record them, and {reason}")
    source = case.reference if out_of_sight and case.reference else case
    steps = _steps(source, aggregate)
    unobserved = [step for step in steps if _rows(step) != len(step.value["ids"])]
    if unobserved:
        return _unknown(case, aggregate, _why(aggregate.stage, steps, unobserved), unobserved)
    batches, lines = _batches(source, aggregate, steps)
    if out_of_sight:
        lines = {}  # they are of another history
    epochs: list[EpochVerdict] = []
    predicted: dict[Pass, str] = {}
    so_far: list[list[Batch]] = []
    for epoch, turn in _passes(case, aggregate):
        reports = reports_of(case, aggregate, (epoch, turn))
        so_far.append(batches.get((epoch, turn), []))
        if epoch < aggregate.from_epoch:
            if reports:
                message = f"reported in epoch {epoch}, promised from epoch {aggregate.from_epoch} on only"
                epochs.append(
                    EpochVerdict(
                        epoch, "wrong", reports[-1].value, evidence=(reports[-1].line,), message=message, turn=turn
                    )
                )
            continue
        if out_of_sight and not same_weights(case, epoch):
            message = "its steps ran where nobody could record them, and its weights are not those of the reference"
            observed = reports[-1].value if reports else None
            epochs.append(EpochVerdict(epoch, "unknown", observed, message=message, turn=turn))
            continue
        whole = _truth(case, aggregate, so_far)
        truth = whole.shown(aggregate.digits)
        predicts = _prediction(case, aggregate, so_far, whole)
        prediction = predicts and predicts.shown(aggregate.digits)
        verdict, message = _compare(case, reports, truth, prediction)
        predicted[epoch, turn] = _expected(verdict, truth, prediction)
        epochs.append(
            EpochVerdict(
                epoch=epoch,
                verdict=verdict,
                observed=reports[-1].value if reports else None,
                truth=truth.value,
                prediction=prediction.value if prediction else None,
                bound=truth.bound,
                evidence=(*lines.get((epoch, turn), ()), *(report.line for report in reports)),
                message=message,
                turn=turn,
            )
        )
    epochs += _reported_beyond_the_plan(case, aggregate)
    if not epochs and case.scenario.data:
        return _nothing_seen(case, aggregate)
    if not epochs and case.planned_epochs:
        message = "no sample was planned for it, and nothing was reported"
        return case.finding("aggregate", aggregate.label, "missing", "missing", message=message)
    if not epochs:
        return case.finding("aggregate", aggregate.label, "unknown", "exact", message="no epoch was planned")
    expected = expect.verdict if expect else gravest([*predicted.values()] or ["exact"])
    finding = case.over_epochs("aggregate", aggregate.label, epochs, expected)
    if finding.as_expected:
        finding = _hold_each_epoch_to_its_prediction(case, finding, epochs, predicted)
    if finding.verdict == "missing" and not finding.as_expected:
        silent = next(each for each in epochs if each.verdict == "missing")
        hint = undeclared(case, aggregate, (silent.epoch, silent.turn))
        finding = replace(finding, message=finding.message + hint)
    return finding


def _nothing_seen(case: Case, aggregate: Aggregate) -> Finding:
    """What was planned on data of one's own is read off what ran: that nothing did excuses no figure."""
    expect = case.expectation("aggregate", aggregate.label)
    since = f" from epoch {aggregate.from_epoch} on" if aggregate.from_epoch else ""
    message = f"no step of {_in_words(aggregate.stage)} was seen{since}, and nothing was reported"
    return case.finding("aggregate", aggregate.label, "missing", expect.verdict if expect else "exact", message=message)


def _hold_each_epoch_to_its_prediction(
    case: Case, finding: Finding, epochs: list[EpochVerdict], predicted: Mapping[Pass, str]
) -> Finding:
    """A known bias is an exact expectation: it must be there in just those epochs where it is predicted. What is
    expected otherwise under a fault is so where that is aimed; without one, anywhere."""
    otherwise = case.expectation("aggregate", finding.aggregate) is not None
    for epoch in epochs:
        if otherwise and _is_aimed_at(case, epoch.epoch):
            continue
        expected = predicted.get((epoch.epoch, epoch.turn), "missing")
        if epoch.verdict != expected:
            message = f"epoch {epoch.epoch} is {epoch.verdict}, predicted {expected}"
            return case.finding(
                "aggregate", finding.aggregate, finding.verdict, expected,
                message=message, evidence=epoch.evidence, as_expected=False, deciding=epoch, per_epoch=epochs,
            )  # fmt: skip
    return finding


def _is_aimed_at(case: Case, epoch: int) -> bool:
    faults = case.trial.faults
    return not faults or any(fault.rules.at == "stage" or fault.epoch == epoch for fault in faults)


def _expected(verdict: str, truth: Measured, prediction: Measured | None) -> str:
    """The verdict that the predicted value gets. Where the two intervals overlap, either is right; a number and what
    is none are apart."""
    if prediction is None:
        return "missing"
    if prediction.value == truth.value:
        return "exact"
    one_is_nan = math.isnan(truth.value) != math.isnan(prediction.value)
    apart = one_is_nan or abs(truth.value - prediction.value) > truth.bound + prediction.bound
    return "biased" if apart else ("biased" if verdict == "biased" else "exact")


def _compare(case: Case, reports: list[Report], truth: Measured, prediction: Measured | None) -> tuple[str, str]:
    if not reports:
        return "missing", "promised, never reported"
    for report in reports:
        if report.value is None:
            return "wrong", f"reported {report.told}, not a number, {before(case.told, report.line).words}"
    if prediction is None:
        return "wrong", "reported, where the pattern's arithmetic reports nothing"
    if len(reports) > 1:
        return "wrong", f"reported {len(reports)} times in one epoch"
    value = reports[0].value
    assert value is not None
    if truth.admits(value):
        return "exact", ""
    if prediction.admits(value):
        return "biased", "equals what the pattern's arithmetic gives, not the truth"
    return "wrong", "equals neither the truth nor what the pattern's arithmetic gives"


def _unknown(case: Case, aggregate: Aggregate, message: str, steps: Sequence[Operation] = ()) -> Finding:
    expect = case.expectation("aggregate", aggregate.label)
    return case.finding(
        "aggregate", aggregate.label, "unknown", expect.verdict if expect else "exact",
        message=message, evidence=[step.line for step in steps], epoch=steps[0].epoch if steps else None,
    )  # fmt: skip


def _steps(case: Case, aggregate: Aggregate) -> list[Operation]:
    """Those that completed, of the aggregate's stage and loader."""
    steps = list(case.history.select("batch", "ok", stage=aggregate.stage))
    if case.trial.resumed:  # what a process that was killed had seen of an epoch is in no figure
        last = {step.epoch: step.process for step in steps}
        steps = [step for step in steps if step.process == last[step.epoch]]
    if aggregate.loader is None or not steps:
        return steps
    of_loader = case.workload.loaders_of(aggregate.stage)[aggregate.loader]
    samples = {sample for batch in of_loader for sample in batch}
    return [step for step in steps if samples.issuperset(step.value["ids"])]


def _rows(step: Operation) -> int | None:
    """How many samples the predictions are of that were seen in a step; None without any that are known."""
    outputs = None if _differing_runs(step) else step.value["outputs"]
    return outputs["shape"][0] if outputs and outputs["shape"] else None


def _differing_runs(step: Operation) -> int:
    """How often the observed forward pass ran in a step, if with other results; which of them counts, nobody knows."""
    return int(step.value.get("differing_runs", 0))


def _why(stage: str, steps: Sequence[Operation], unobserved: Sequence[Operation]) -> str:
    """Without a prediction for every sample there is no truth."""
    several = [step for step in unobserved if _differing_runs(step)]
    odd = [step for step in unobserved if step.value["outputs"] and not _differing_runs(step)]
    unseen = len(unobserved) - len(odd) - len(several)
    of = f"of {len(steps)} steps of {_in_words(stage)}"
    problems = [f"no predictions were seen in {unseen} {of}"] if unseen else []
    if odd:
        shape, samples = tuple(odd[0].value["outputs"]["shape"]), len(odd[0].value["ids"])
        problems.append(f"what was seen in {len(odd)} {of} is not one prediction a sample (shape {shape} of {samples})")
    hint = "predictions_from names the submodule, in Keras the layer, that returns them"
    if several:
        first = several[0]
        runs = f"the forward pass ran {_differing_runs(first)} times, with other results, in {len(several)} {of}"
        problems.append(f"{runs} (first in epoch {first.epoch}, batch {first.batch})")
        hint += " and runs once in a step"
    return f"{'; '.join(problems)}; {hint}"


def _in_words(stage: str) -> str:
    return "training" if stage == "train" else stage


def _batches(
    case: Case, aggregate: Aggregate, steps: Sequence[Operation]
) -> tuple[dict[Pass, list[Batch]], dict[Pass, list[int]]]:
    """Per pass: the batches, and their history lines (first and last)."""
    batches: dict[Pass, list[Batch]] = {}
    lines: dict[Pass, list[int]] = {}
    for operation in steps:
        if operation.epoch is None:
            continue
        of = case.turns.of(operation, aggregate.stage, operation.epoch)
        batches.setdefault(of, []).append(case.batch(operation))
        lines.setdefault(of, []).append(operation.line)
    return batches, {of: sorted({found[0], found[-1]}) for of, found in lines.items()}


def _reported_beyond_the_plan(case: Case, aggregate: Aggregate) -> list[EpochVerdict]:
    told = {epoch for each in case.told.select("logger") if (epoch := epoch_told(each)) is not None}
    planned = {epoch for epoch, _ in case.passes(aggregate.stage)}
    return [
        EpochVerdict(epoch, "wrong", report.value, evidence=(report.line,), message="reported for an epoch not planned")
        for epoch in sorted(told - planned)
        for report in reports_of(case, aggregate, (epoch, 0))
    ]
