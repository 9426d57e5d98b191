"""Runs as JUnit XML: a test case per trial, so that a CI system shows what was found."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from harness.faults.fault import NONE
from harness.findings import DECIDED, Finding
from harness.report.runs import Run, unfinished
from harness.report.text import figure, printable


def document(runs: Sequence[Run]) -> str:
    """One test suite per run. Findings that are not as expected are failures, or errors if all are `unknown`.

    A run that did not end or is not whole, and claims that are not as expected, get test cases of their own, lest
    the file pass for a success. Where it ran, and the versions there, are properties of the suite; workload, fault and
    placement, and every verdict, of the case.
    """
    xml = JUnitXml("epoch-harness")
    for run in runs:
        xml.add_testsuite(_suite(run))
    text: str = xml.tostring().decode("utf-8")
    return text + "\n"


def _suite(run: Run) -> Any:
    suite = TestSuite(printable(run.label))
    suite.timestamp = run.manifest["started_at"]
    for name, value in _where(run).items():
        suite.add_property(printable(name), printable(value))
    seconds = {timing["trial"]: sum(timing["samples"]) for timing in run.timings}
    cases = [_trial(findings, seconds.get(trial, 0.0)) for trial, findings in run.by_trial.items()]
    cases += [_unavailable(trial) for trial in run.manifest["unavailable"]]
    cases += [_claim(claim) for claim in run.claims if not claim["as_expected"]]
    if not run.complete:
        cases.append(_case("run", "ended", Error(unfinished(run), "unfinished")))
    if run.missing:
        cases.append(_case("run", "whole", Error(printable("; ".join(run.missing)), "missing")))
    suite.add_testcases(cases)
    return suite


def _where(run: Run) -> dict[str, str]:
    manifest, found = run.manifest, run.manifest["environment"]
    versions = {"python": found["python"], **found["packages"]} if found else {}
    return {
        "environment": run.environment,
        **{f"version: {name}": version for name, version in versions.items()},
        "version: epoch-harness": manifest["harness_version"],
        "platform": manifest["machine"]["platform"],
        "cuda": (found["cuda"]["device"] or found["cuda"]["reason"] or "available") if found else "",
        "seed": str(manifest["seed"]),
        "status": manifest["status"],
    }


def _trial(findings: Sequence[Finding], seconds: float) -> Any:
    first = findings[0]
    pattern, _, variant = first.scenario.rpartition("/")
    fault = "" if first.fault == NONE else f", {first.fault}"
    unexpected = [finding for finding in findings if not finding.as_expected]
    case = _case(pattern, f"{variant}[{first.workload}{fault}, {first.placement}]", _result(unexpected), seconds)
    # Properties must be named apart for readers that keep them in a dictionary.
    told = [(name, getattr(first, name)) for name in ("scenario", "workload", "fault", "placement")]
    told += [(f"{finding.checker}: {finding.aggregate}", finding.verdict) for finding in findings]
    properties = Properties()
    for name, value in told:
        properties.add_property(Property(printable(name), printable(value)))
    case.append(properties)
    return case


def _result(unexpected: Sequence[Finding]) -> Any:
    if not unexpected:
        return None
    verdicts = Counter(f"{finding.verdict}, expected {finding.expected_verdict}" for finding in unexpected)
    summary = "; ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    kind = Failure if any(finding.verdict in DECIDED for finding in unexpected) else Error
    result = kind(summary, "unexpected")
    result.text = printable("\n\n".join(_explain(finding) for finding in unexpected))
    return result


def _explain(finding: Finding) -> str:
    lines = [f"{finding.checker}: {finding.aggregate}: {finding.verdict}, expected {finding.expected_verdict}"]
    if finding.message:
        lines.append(finding.message)
    if finding.per_epoch:
        lines.append(
            f"epoch {finding.epoch}: observed {figure(finding.observed)}, truth {figure(finding.truth)}, "
            f"prediction {figure(finding.prediction)}, bound {figure(finding.bound)}"
        )
    if finding.evidence:
        lines.append(f"histories/{finding.trial}.jsonl, lines {', '.join(map(str, finding.evidence))}")
    return "\n".join(lines)


def _unavailable(trial: dict[str, Any]) -> Any:
    pattern, _, variant = trial["scenario"].rpartition("/")
    fault = "" if trial["fault"] == NONE else f", {trial['fault']}"
    ranks = f",ranks={trial['ranks']}" if trial.get("ranks", 1) > 1 else ""
    name = f"{variant}[{trial['workload']}{fault}, {trial['device']}{ranks}]"
    return _case(pattern, name, Skipped(printable(trial["reason"]), "unavailable"))


def _claim(claim: Any) -> Any:
    message = f"{claim['verdict']}, expected {claim['expected_verdict']}: {claim['statement']}"
    return _case("claims", claim["claim"], Failure(printable(message), "unexpected"))


def _case(classname: str, name: str, result: Any, seconds: float = 0.0) -> Any:
    case = TestCase(printable(name), printable(classname), seconds)
    if result is not None:
        case.result = [result]
    return case
