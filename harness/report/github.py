"""What a step of a workflow on GitHub shows: its summary, and annotations beside the source."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.findings import DECIDED, Finding, in_words
from harness.report.cut import SUMMARY_BYTES, fit
from harness.report.declared import declared_at
from harness.report.runs import Run
from harness.report.text import printable, shortened
from harness.run_directory import RunDirectory
from harness.schemas import validator

SUMMARY = "GITHUB_STEP_SUMMARY"
ERROR, WARNING = "error", "warning"

_MOST_SHOWN = 10  # of errors, and of warnings: GitHub leaves out what a step says beyond
_MOST_TOLD = 5


@dataclass(frozen=True)
class Annotation:
    """Something that GitHub shows beside the source.

    Attributes:
        place: a file and a line of it, counted from 1; None if that is not known.
    """

    level: str
    title: str
    message: str
    place: tuple[Path, int] | None = None


def summary_file(environ: Mapping[str, str]) -> Path:
    """Raises:
    UsageError: this is no step of a workflow.
    """
    if not environ.get(SUMMARY):
        raise UsageError(
            f"{SUMMARY} is not set: --github is for a step of a GitHub workflow; "
            f"to see what it would show, set {SUMMARY} to the name of a file"
        )
    return Path(environ[SUMMARY])


def summarise(markdown: str, file: Path, whole: str) -> None:
    """Append to the summary of a step, as much as there is room for: one that is too long is not shown at all.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        room = SUMMARY_BYTES - (file.stat().st_size if file.exists() else 0)
        text = fit(f"{markdown.rstrip()}\n\n", room, whole).encode("utf-8")
        with file.open("ab") as summary:
            summary.write(text if len(text) <= room else b"")
    except OSError as error:
        raise UsageError(f"cannot write {file}, which {SUMMARY} names: {error.strerror}") from error


def of_runs(runs: Iterable[Run]) -> list[Annotation]:
    """What is not as expected: an annotation per scenario, at its declaration, and per claim; and what is missing."""
    found = []
    for run in runs:
        scenarios: dict[str, list[Finding]] = {}
        for finding in run.unexpected:
            scenarios.setdefault(finding.scenario, []).append(finding)
        for scenario, findings in scenarios.items():
            told = [
                f"{each.checker}: {each.aggregate} on {each.on} is {each.verdict}, expected {each.expected_verdict}"
                f"{': ' if each.message else ''}{each.message}"
                for each in findings
            ]
            level = ERROR if any(each.verdict in DECIDED for each in findings) else WARNING
            place = declared_at(run.directory.history(findings[0].trial))
            found.append(Annotation(level, f"{run.label}: {scenario} is not as expected", _listed(told), place))
        found += [
            Annotation(
                ERROR,
                f"{run.label}: claim {claim['claim']} is not as expected",
                f"{claim['verdict']}, expected {claim['expected_verdict']}: {claim['statement']}",
            )
            for claim in run.claims
            if not claim["as_expected"]
        ]
        found += [Annotation(WARNING, f"{run.label} is not whole", each) for each in run.lacks]
    return found


def stored_comparison(folder: Path) -> str:
    """`upgrade` or `compare`, if that is what left its files in the folder; else empty."""
    named = (name for name in ("upgrade", "compare") if (folder / f"{name}.json").is_file())
    return "" if (folder / "manifest.json").exists() else next(named, "")


def of_comparison(folder: Path, name: str) -> list[Annotation]:
    """An annotation per regression, at the declaration of a scenario that shows it, if the candidate's run is there.

    Raises:
        UsageError: NAME.json cannot be read, or does not follow its schema.
    """
    path = folder / f"{name}.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    problem = next(validator("comparison").iter_errors(told), None)
    if problem is not None:
        raise UsageError(f"{path}, at {problem.json_path}: {problem.message}")
    changes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in told["differences"]:
        if each["kind"] in told["fail_on"] and not each["accepted"]:
            changes.setdefault((each["kind"], each["what"]), []).append(each)
    trials = _trials(folder / "candidate") if changes else {}
    found = []
    for (kind, what), differences in changes.items():
        first = differences[0]["key"]
        lines = [
            f"{each['key']['scenario']} on {in_words(each['key']['workload'], each['key']['fault'])}: "
            f"{each['a']} in {told['a']['label']}, {each['b']} in {told['b']['label']}"
            for each in differences
        ]
        history = trials.get(first["scenario"])
        place = declared_at(history) if history else None
        found.append(Annotation(ERROR, f"{kind}: {what}", _listed(lines), place))
    if told["exit_code"] == 3:
        found.append(Annotation(WARNING, "epoch-harness", told["title"]))
    return found


def _trials(folder: Path) -> dict[str, Path]:
    """Scenario → the history of one of its trials."""
    try:
        run = RunDirectory.open(folder)
        return {finding.scenario: run.history(finding.trial) for finding in run.read_findings()}
    except UsageError:  # gone: then nothing can be placed
        return {}


def _listed(told: Sequence[str]) -> str:
    more = [f"… and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    return "\n".join([*(shortened(each, 500) for each in told[:_MOST_TOLD]), *more])


def commands(annotations: Sequence[Annotation], workspace: Path) -> list[str]:
    """The lines that tell GitHub, on standard output, at most ten errors and ten warnings.

    Args:
        workspace: the folder of the checkout; what is declared elsewhere has no place in it.
    """
    kept, left_out = [], []
    for level in (ERROR, WARNING):
        of_level = [each for each in annotations if each.level == level]
        kept += of_level[:_MOST_SHOWN]
        if more := len(of_level) - _MOST_SHOWN:
            left_out += [f"{more} more {level}{'' if more == 1 else 's'}"] if more > 0 else []
    lines = [_command(each.level, each.title, each.message, _located(each.place, workspace)) for each in kept]
    if left_out:
        lines.append(_command("notice", "epoch-harness", f"{' and '.join(left_out)}: see the summary of this step", {}))
    return lines


def _located(place: tuple[Path, int] | None, workspace: Path) -> dict[str, str]:
    if place is None:
        return {}
    path, line = place
    try:
        return {"file": path.resolve().relative_to(workspace.resolve()).as_posix(), "line": str(line)}
    except ValueError:
        return {}


def _command(level: str, title: str, message: str, place: Mapping[str, str]) -> str:
    properties = {**place, "title": shortened(title, 200)}
    named = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {named}::{_data(message)}"


def _data(text: str) -> str:
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
