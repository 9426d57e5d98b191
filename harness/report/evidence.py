"""What stands behind each cell of a report: the figures of its finding, and as much of the history as there is room
for."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from harness.findings import EpochVerdict, Finding
from harness.report import anchors, faults
from harness.report.history import Line, lines
from harness.report.runs import FINE, Run
from harness.scenario import CELL_VERDICTS
from harness.verdicts import CELLS, FIGURES

# A report is to stay below 5 MB. In characters: what is told of findings, and their histories; what else a report says
# of two runs of all trials fits beside it.
ROOM_FOR_FINDINGS, ROOM_FOR_HISTORIES = 2_150_000, 600_000
# What one trial, one finding, one pass of an epoch and one line of a history take, besides what they say.
TRIAL, FINDING, EPOCH, LINE = 520, 170, 40, 12
MOST_EPOCHS, MOST_LINES = 4, 24
NO_ROOM, GONE = "there was no room for it here", "it is no longer there, or damaged"

Key = tuple[str, str, str, str]  # a run's label, trial, checker, aggregate


@dataclass(frozen=True)
class Entry:
    """A finding as its trial's evidence tells it.

    Attributes:
        anchor: where it stands; empty for a second one of the same name.
        epochs: what was found in each; of a finding that is fine, in the deciding one alone.
        more: how many epochs are left out.
        as_above: it says the same as the one before it.
    """

    anchor: str
    finding: Finding
    epochs: tuple[EpochVerdict, ...]
    more: int
    as_above: bool


@dataclass(frozen=True)
class Proof:
    """What one trial showed.

    Attributes:
        left_out: findings for which there was no room.
        lines: of its history, abridged; none if there was no room for it, or it is gone: `why` says so.
    """

    anchor: str
    run: Run
    trial: Finding
    entries: tuple[Entry, ...]
    left_out: int
    history: str
    lines: tuple[Line, ...]
    why: str

    @property
    def verdicts(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for entry in self.entries:
            counted[entry.finding.verdict] = counted.get(entry.finding.verdict, 0) + 1
        return counted

    @property
    def unexpected(self) -> int:
        return sum(not entry.finding.as_expected for entry in self.entries)


@dataclass(frozen=True)
class Evidence:
    """Of all runs, in the order of their findings.

    Attributes:
        groups: a run's scenario, and its trials.
        places: where a finding is told.
        trials: anchors of those that are told.
        findings_left_out, histories_left_out: how many there was no room for.
    """

    groups: Mapping[tuple[str, str], Sequence[Proof]]
    places: Mapping[Key, str]
    trials: Set[str]
    findings_left_out: int
    histories_left_out: int

    def anchor(self, run: str, finding: Finding) -> str:
        """Where the finding is told; empty if there was no room for it."""
        return self.places.get(_key(run, finding), "")

    def place(self, trial: str) -> str:
        """The anchor of this trial, or of all evidence if there was no room for the trial."""
        return trial if trial in self.trials else "evidence"


def gathered(runs: Sequence[Run], under_faults: Iterable[faults.Matrix]) -> Evidence:
    """What is not as expected comes first, then what is not exact or ok, while there is room."""
    around_faults = {
        (table.run.label, trial.name): trial.lines
        for matrix in under_faults
        for table in matrix.tables
        for trial in table.trials
    }
    trials = [
        (number, run, told)
        for number, run in enumerate(runs, 1)
        for findings in run.by_trial.values()
        if (told := [finding for finding in findings if _is_told(finding)])
    ]
    ranked = sorted(trials, key=lambda trial: max(map(_concern, trial[2])), reverse=True)
    room, kept = ROOM_FOR_FINDINGS, set[Key]()
    for _, run, told in ranked:
        room -= TRIAL
        for finding, before in zip(told, (None, *told), strict=False):
            room -= _size(finding, before)
            if room >= 0:
                kept.add(_key(run.label, finding))
    room, shown = ROOM_FOR_HISTORIES, dict[tuple[str, str], tuple[Line, ...]]()
    for _, run, told in ranked:
        name = (run.label, told[0].trial)
        if room > 0 and any(_key(run.label, finding) in kept for finding in told):
            found = around_faults.get(name) or _lines(run, told)
            room -= sum(len(line.text) + LINE for line in found)
            if room >= 0:
                shown[name] = found
    places: dict[Key, str] = {}
    groups: dict[tuple[str, str], list[Proof]] = {}
    for number, run, told in trials:
        if fitting := [finding for finding in told if _key(run.label, finding) in kept]:
            proof = _proof(number, run, fitting, told, shown, places)
            groups.setdefault((run.label, told[0].scenario), []).append(proof)
    proofs = [proof for group in groups.values() for proof in group]
    return Evidence(
        groups=groups,
        places=places,
        trials={proof.anchor for proof in proofs},
        findings_left_out=sum(len(told) for _, _, told in trials) - sum(len(proof.entries) for proof in proofs),
        histories_left_out=len(trials) - sum(proof.why != NO_ROOM for proof in proofs),
    )


def _proof(
    number: int,
    run: Run,
    kept: Sequence[Finding],
    told: Sequence[Finding],
    shown: Mapping[tuple[str, str], tuple[Line, ...]],
    places: dict[Key, str],
) -> Proof:
    path = run.directory.history(told[0].trial)
    found = shown.get((run.label, told[0].trial))
    entries = []
    for finding, before in zip(kept, (None, *kept), strict=False):
        key = _key(run.label, finding)
        anchor = "" if key in places else anchors.of_finding(number, *key[1:])
        places.setdefault(key, anchor)
        epochs = _epochs(finding)
        more = max(0, len(finding.per_epoch) - len(epochs))
        entries.append(Entry(anchor, finding, epochs, more, _as_above(finding, before)))
    return Proof(
        anchor=anchors.of_trial(number, told[0].trial),
        run=run,
        trial=told[0],
        entries=tuple(entries),
        left_out=len(told) - len(kept),
        history=f"{path.parent.name}/{path.name}",
        lines=found or (),
        why="" if found else NO_ROOM if found is None else GONE,
    )


def _is_told(finding: Finding) -> bool:
    return finding.checker in (FIGURES, CELLS) or finding.verdict not in FINE or not finding.as_expected


def _concern(finding: Finding) -> tuple[bool, bool]:
    return not finding.as_expected, finding.verdict not in (*FINE, *CELL_VERDICTS)


def _epochs(finding: Finding) -> tuple[EpochVerdict, ...]:
    deciding = [epoch for epoch in finding.per_epoch if epoch.epoch == finding.epoch]
    if finding.verdict in FINE and finding.as_expected:
        return tuple(deciding[:1])
    others = [epoch for epoch in finding.per_epoch if epoch.epoch != finding.epoch]
    return tuple(sorted([*deciding, *others][:MOST_EPOCHS], key=lambda epoch: (epoch.epoch, epoch.turn)))


def _as_above(finding: Finding, before: Finding | None) -> bool:
    return before is not None and before.message == finding.message != ""


def _size(finding: Finding, before: Finding | None) -> int:
    said = 0 if _as_above(finding, before) else len(finding.message)
    return FINDING + len(finding.aggregate) + said + EPOCH * len(_epochs(finding))


def _lines(run: Run, told: Sequence[Finding]) -> tuple[Line, ...]:
    gravest = sorted(told, key=_concern, reverse=True)
    passes = [line for finding in gravest for epoch in finding.per_epoch for line in epoch.evidence]
    evidence = dict.fromkeys([*(line for finding in gravest for line in finding.evidence), *passes])
    wanted = list(evidence)[:MOST_LINES]
    return lines(run.directory.history(told[0].trial), wanted, ())


def _key(run: str, finding: Finding) -> Key:
    return run, finding.trial, finding.checker, finding.aggregate
