"""Compares two stored runs, trial by trial."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from harness.comparison.compare import compare as compare_trials
from harness.comparison.differences import REGRESSIONS, Difference, Key
from harness.comparison.result import Asked, ClaimChange, Collected, Comparison, OneSided, Side, Undecided
from harness.comparison.seen import Seen, seen
from harness.errors import UsageError
from harness.findings import Finding
from harness.history import reader
from harness.report.runs import environment_title, labels
from harness.run_directory import RunDirectory

Stored = dict[Key, Callable[[], Seen]]  # read when its turn comes: histories are large


def compare(a: RunDirectory, b: RunDirectory, fail_on: Sequence[str] = REGRESSIONS) -> Comparison:
    """How run B differs from run A. Of time nothing is said: what did not run side by side cannot be compared.

    Raises:
        UsageError: a part of a run directory does not follow its schema, or a history is missing.
    """
    manifests = [run.read_manifest() for run in (a, b)]
    side_a, side_b = (
        Side(label, environment_title(manifest), manifest["status"], manifest["arguments"].get("python", ""))
        for label, manifest in zip(labels([a.path, b.path]), manifests, strict=True)
    )
    stored_a, stored_b = (_stored(run) for run in (a, b))
    collected = Collected()
    for key, of_a in stored_a.items():
        if key in stored_b:
            collect(collected, of_a(), stored_b[key]())
    one_sided = [*_one_sided(stored_a, stored_b, "A", manifests[1]), *_one_sided(stored_b, stored_a, "B", manifests[0])]
    machines = [manifest["machine"] for manifest in manifests]
    same = machines[0] == machines[1]
    timing = "they did not run side by side" if same else "the machines differ"
    return Comparison(
        a=side_a,
        b=side_b,
        compared=collected.compared,
        differences=tuple(collected.differences),
        one_sided=tuple(one_sided),
        undecided=tuple(collected.undecided),
        asked=tuple(_asked(*(manifest["arguments"] for manifest in manifests))),
        claims=tuple(claim_changes(a.read_claims(), b.read_claims())),
        notes=(f"time is not compared: {timing}",),
        fail_on=tuple(fail_on),
        seed=manifests[1]["seed"],
    )


def collect(collected: Collected, a: Seen, b: Seen) -> list[Difference]:
    """Compare a trial, add what came of it, and return its differences."""
    collected.compared += 1
    for (checker, name), judged in a.findings.items():
        other = b.findings.get((checker, name))
        verdicts = [judged.verdict, other.verdict if other else judged.verdict]
        if "unknown" in verdicts and verdicts[0] != verdicts[1]:
            why = judged.message if verdicts[0] == "unknown" else other.message if other else ""
            collected.undecided.append(Undecided(a.key, f"{checker} {name} is {' and '.join(verdicts)}: {why}"))
    found = compare_trials(a, b)
    collected.differences += found
    return found


def claim_changes(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> Iterator[ClaimChange]:
    """Claims that both runs decided, and not alike."""
    before = {claim["claim"]: claim["verdict"] for claim in a if claim["verdict"] != "undecided"}
    for claim in b:
        verdict = before.get(claim["claim"], claim["verdict"])
        if claim["verdict"] not in ("undecided", verdict):
            yield ClaimChange(claim["claim"], claim["statement"], verdict, claim["verdict"])


def _stored(run: RunDirectory) -> Stored:
    found: Stored = {}
    for trial, group in groupby(run.read_findings(), key=lambda finding: finding.trial):
        findings = list(group)
        first = findings[0]
        found[Key(first.scenario, first.workload, first.fault, first.placement)] = _reading(run, trial, findings)
    return found


def _reading(run: RunDirectory, trial: str, findings: list[Finding]) -> Callable[[], Seen]:
    def read() -> Seen:
        if not run.history(trial).is_file():
            raise UsageError(f"{run.path} holds findings of {trial}, and not its history: it was not kept whole")
        return seen(findings, reader.read(run.history(trial)))

    return read


def _one_sided(here: Stored, there: Stored, side: str, manifest: Mapping[str, Any]) -> Iterator[OneSided]:
    """Trials of one run that the other has not; why, if that run says that they could not run there."""
    reasons = {(item["scenario"], item["workload"], item["fault"]): item["reason"] for item in manifest["unavailable"]}
    for key in here:
        if key not in there:
            reason = reasons.get((key.scenario, key.workload, key.fault), "")
            yield OneSided(key, side, reason, decides=side == "A")


def _asked(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Asked]:
    told = [
        {
            "seed": str(arguments["seed"]),
            "device": arguments["device"],
            "filters": " ".join(sorted(arguments["filters"])) or "none",
            "faults": " ".join(sorted(arguments["faults"])),
        }
        for arguments in (a, b)
    ]
    return [Asked(what, *(each[what] for each in told)) for what in told[0] if told[0][what] != told[1][what]]
