"""Compares two stored runs, trial by trial."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.comparison import accepted as accepting
from harness.comparison import baseline
from harness.comparison.accepted import Accepted
from harness.comparison.compare import compare as compare_trials
from harness.comparison.differences import REGRESSIONS, Key
from harness.comparison.result import Asked, ClaimChange, Collected, Comparison, OneSided, Side, Undecided
from harness.comparison.seen import Seen, seen
from harness.errors import UsageError
from harness.findings import Finding
from harness.history import reader
from harness.report.runs import environment_title, labels
from harness.run_directory import RunDirectory

UNREAD = ("history", "*")  # the finding that a history was damaged
Trials = dict[Key, Callable[[], Seen]]  # read when their turn comes: histories are large


@dataclass(frozen=True)
class Stored:
    """What was kept of a run: its directory, or a baseline.

    Attributes:
        asked: its arguments, as far as they are known.
        reasons: why a trial could not run there, by scenario, workload and fault.
    """

    side: Side
    trials: Trials
    asked: Mapping[str, Any]
    reasons: Mapping[tuple[str, str, str], str]
    claims: Sequence[Mapping[str, Any]]
    machine: Mapping[str, Any]
    packages: Mapping[str, str]
    python: str

    @property
    def whole(self) -> bool:
        """Whether all was run that there is; a baseline is of all of it."""
        every = not self.asked["filters"] and self.asked.get("faults", ["*"]) == ["*"]
        return every and self.side.status == "complete"

    @property
    def lightning(self) -> str:
        """Its version; empty if it has none."""
        return self.packages.get("pytorch-lightning") or self.packages.get("lightning", "")


def open_stored(path: Path, label: str = "") -> Stored:
    """A run directory, or the file of a baseline.

    Raises:
        UsageError: it is neither, or its parts do not follow their schema.
    """
    if path.is_file():
        told, trials = baseline.read(path)
        packages = ", ".join(f"{name} {version}" for name, version in told["packages"].items())
        side = Side(label or path.stem, f"Python {told['python']}, {packages}", "complete")
        return Stored(
            side,
            trials,
            {"seed": told["seed"], "filters": told["filters"]},
            {},
            (),
            {},
            told["packages"],
            told["python"],
        )
    run = RunDirectory.open(path)
    manifest = run.read_manifest()
    findings, counted = run.read_findings(), manifest["counts"].get("findings", 0)
    if len(findings) < counted:
        raise UsageError(f"{run.findings} holds {len(findings)} of {counted} findings: it was not kept whole")
    asked = manifest["arguments"]
    side = Side(label or path.name, environment_title(manifest), manifest["status"], asked.get("python", ""))
    reasons = {(item["scenario"], item["workload"], item["fault"]): item["reason"] for item in manifest["unavailable"]}
    return Stored(
        side,
        _trials(run, findings),
        asked,
        reasons,
        run.read_claims(),
        manifest["machine"],
        manifest["environment"].get("packages", {}),
        manifest["environment"].get("python", ""),
    )


def compare(
    path_a: Path, path_b: Path, fail_on: Sequence[str] = REGRESSIONS, accepted: Sequence[Accepted] = ()
) -> Comparison:
    """How run B differs from run A. Of time nothing is said: what did not run side by side cannot be compared.

    Raises:
        UsageError: as `open_stored`, or a history is missing.
    """
    a, b = (open_stored(path, label) for path, label in zip((path_a, path_b), labels([path_a, path_b]), strict=True))
    collected = Collected()
    same_calls = not (a.python and b.python) or baseline.same_calls(a.python, b.python)
    for key, of_a in a.trials.items():
        if key in b.trials:
            collect(collected, of_a() if same_calls else baseline.without_calls(of_a()), b.trials[key]())
    timing = "they did not run side by side" if a.machine == b.machine else "the machines differ"
    if not a.machine or not b.machine:
        timing = "a baseline holds no times"
    versions = {"baseline": a.lightning, "candidate": b.lightning}
    differences, unused = accepting.apply(accepted, collected.differences, versions)
    return Comparison(
        a=a.side,
        b=b.side,
        compared=collected.compared,
        differences=tuple(differences),
        one_sided=(*_one_sided(a, b, "A"), *_one_sided(b, a, "B")),
        undecided=tuple(collected.undecided),
        asked=tuple(_asked(a.asked, b.asked)),
        claims=tuple(claim_changes(a.claims, b.claims)),
        notes=(
            f"time is not compared: {timing}",
            *([] if same_calls else [f"Python calls are not compared: Python {a.python} makes others than {b.python}"]),
        ),
        unused=tuple(each for each in unused if a.whole and b.whole and not each.is_about_time),
        fail_on=tuple(fail_on),
        seed=b.asked["seed"],
    )


def collect(collected: Collected, a: Seen, b: Seen) -> None:
    """Compare a trial and add what came of it. A history that is damaged shows no difference."""
    if damage := damaged(a, b):
        collected.undecided.append(Undecided(a.key, damage))
        return
    collected.compared += 1
    if a.failed and b.failed:
        collected.undecided.append(Undecided(a.key, f"it fails on both sides, which is not expected: {b.failed}"))
    for checker, name in dict.fromkeys((*a.findings, *b.findings)):
        one, other = a.finding(checker, name), b.finding(checker, name)
        unknown = next((each for each in (one, other) if each and each.verdict == "unknown"), None)
        if unknown and (one.verdict != other.verdict if one and other else not unknown.as_expected):
            verdicts = " and ".join(each.verdict if each else "not there" for each in (one, other))
            collected.undecided.append(Undecided(a.key, f"{checker} {name} is {verdicts}: {unknown.message}"))
    collected.differences += compare_trials(a, b)


def damaged(*sides: Seen) -> str:
    """Why the history of one cannot be read; empty if all can."""
    unread = [judged.message for side in sides if (judged := side.findings.get(UNREAD)) and judged.verdict == "unknown"]
    return "; ".join(unread)


def claim_changes(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> Iterator[ClaimChange]:
    """Claims that both runs decided, and not alike."""
    before = {claim["claim"]: claim["verdict"] for claim in a if claim["verdict"] != "undecided"}
    for claim in b:
        verdict = before.get(claim["claim"], claim["verdict"])
        if claim["verdict"] not in ("undecided", verdict):
            yield ClaimChange(claim["claim"], claim["statement"], verdict, claim["verdict"])


def _trials(run: RunDirectory, told: Iterable[Finding]) -> Trials:
    found: Trials = {}
    for trial, group in groupby(told, key=lambda finding: finding.trial):
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


def _one_sided(here: Stored, there: Stored, name: str) -> Iterator[OneSided]:
    """Trials of one run that the other has not; why, if that run says that they could not run there."""
    for key in here.trials:
        if key not in there.trials:
            reason = there.reasons.get((key.scenario, key.workload, key.fault), "")
            yield OneSided.of(key, name, reason, baseline=name == "A")


def _asked(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Asked]:
    """Of what is known of both."""
    for what in ("seed", "device", "filters", "faults"):
        if what in a and what in b and (one := _in_words(a[what])) != (other := _in_words(b[what])):
            yield Asked(what, one, other)


def _in_words(argument: Any) -> str:
    return (" ".join(sorted(argument)) or "none") if isinstance(argument, list) else str(argument)
