"""One run's findings against another's: which verdicts changed, which figures moved, what is missing."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.checkers.turns import Pass, named
from harness.findings import EpochVerdict, Finding
from harness.history.encoding import encode_number
from harness.report.render import render, save
from harness.report.runs import environment_title, labels
from harness.report.text import figure
from harness.run_directory import RunDirectory

EXIT_UNCHANGED, EXIT_CHANGED, EXIT_NOTHING_IN_COMMON = 0, 1, 3
ABSENT = "not judged"
MOST_SHOWN = 10


@dataclass(frozen=True)
class Key:
    """What makes findings of two runs comparable."""

    scenario: str
    workload: str
    fault: str
    placement: str
    checker: str
    aggregate: str

    def __str__(self) -> str:
        fault = "" if self.fault == "none" else f" under {self.fault}"
        return f"{self.scenario}@{self.workload}{fault} [{self.placement}] {self.checker}: {self.aggregate}"


@dataclass(frozen=True)
class VerdictChange:
    """`epoch` and `turn` are None for the verdict on the whole trial; epochs stand here only if that did not change."""

    key: Key
    epoch: int | None
    turn: int | None
    a: str
    b: str
    message: str


@dataclass(frozen=True)
class Move:
    """A figure of one pass of an epoch that differs by more than both runs' error bounds together."""

    key: Key
    epoch: int
    turn: int
    a: float
    b: float
    bound: float

    def to_json(self) -> dict[str, Any]:
        numbers = {name: encode_number(getattr(self, name)) for name in ("a", "b", "bound")}
        return {"key": asdict(self.key), "epoch": self.epoch, "turn": self.turn, **numbers}


@dataclass(frozen=True)
class ClaimChange:
    claim: str
    statement: str
    a: str
    b: str


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    label: str
    environment: str
    status: str


@dataclass(frozen=True)
class Asked:
    """Something that the two runs were not asked alike: `seed`, `device` or `filters`."""

    what: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.what} {self.a} in A, {self.b} in B"


@dataclass(frozen=True)
class Comparison:
    """How run B differs from run A.

    Attributes:
        asked: what may be why.
        equal: how many findings are in both, with no verdict changed and no figure moved.
    """

    a: Side
    b: Side
    asked: tuple[Asked, ...]
    equal: int
    verdicts: tuple[VerdictChange, ...]
    moves: tuple[Move, ...]
    only_in_a: tuple[Key, ...]
    only_in_b: tuple[Key, ...]
    claims: tuple[ClaimChange, ...]

    @property
    def in_common(self) -> int:
        return self.equal + len(_changed(self.verdicts, self.moves))

    @property
    def exit_code(self) -> int:
        """0 nothing changed; 1 a verdict or figure did, or findings of A are missing in B; 3 nothing in common."""
        if not self.in_common:
            return EXIT_NOTHING_IN_COMMON
        return EXIT_CHANGED if self.verdicts or self.moves or self.only_in_a or self.claims else EXIT_UNCHANGED

    def to_json(self) -> dict[str, Any]:
        return {
            "a": asdict(self.a),
            "b": asdict(self.b),
            "asked": [asdict(asked) for asked in self.asked],
            "exit_code": self.exit_code,
            "in_common": self.in_common,
            "equal": self.equal,
            "verdicts": [asdict(change) for change in self.verdicts],
            "moves": [move.to_json() for move in self.moves],
            "only_in_a": [asdict(key) for key in self.only_in_a],
            "only_in_b": [asdict(key) for key in self.only_in_b],
            "claims": [asdict(change) for change in self.claims],
        }

    @property
    def title(self) -> str:
        """The outcome in one line."""
        if not self.in_common:
            return "The runs have no finding in common"
        found = [
            (len(self.verdicts), "verdict", "changed"),
            (len(self.moves), "figure", "moved beyond the error bounds"),
            (len(self.only_in_a), "finding", "missing in B"),
            (len(self.claims), "claim", "changed"),
        ]
        parts = [f"{count} {noun}{'' if count == 1 else 's'} {what}" for count, noun, what in found if count]
        return ", ".join(parts) or "Nothing changed"

    def summary(self) -> str:
        """For a terminal: the outcome, and the first few changes."""
        lines = [
            f"A  {self.a.label}: {self.a.environment}{_status(self.a)}",
            f"B  {self.b.label}: {self.b.environment}{_status(self.b)}",
            *([f"not asked alike: {'; '.join(map(str, self.asked))}"] if self.asked else []),
            f"{self.title}; of {self.in_common} findings in common {self.equal} are equal, "
            f"{len(self.only_in_b)} are only in B",
        ]
        changes = [
            *(f"claim {change.claim}: {change.a} → {change.b}" for change in self.claims),
            *(f"{change.key}{_pass(change)}: {change.a} → {change.b}" for change in self.verdicts),
            *(f"{move.key}{_pass(move)}: {figure(move.a)} → {figure(move.b)}" for move in self.moves),
            *(f"{key}: missing in B" for key in self.only_in_a),
        ]
        lines += [f"  {change}" for change in changes[:MOST_SHOWN]]
        if len(changes) > MOST_SHOWN:
            lines.append(f"  … and {len(changes) - MOST_SHOWN} more")
        return "\n".join(lines)

    def write(self, out: Path) -> None:
        """Write compare.json and compare.md into the folder `out`.

        Raises:
            UsageError: it cannot be written.
        """
        save(
            out,
            {
                "compare.json": json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n",
                "compare.md": render("compare.md.jinja", comparison=self),
            },
        )


def compare(a: RunDirectory, b: RunDirectory) -> Comparison:
    """Compare what two runs found; of timings nothing is said.

    Raises:
        UsageError: a part of a run directory does not follow its schema.
    """
    in_a, in_b = ({_key(finding): finding for finding in run.read_findings()} for run in (a, b))
    common = [key for key in in_a if key in in_b]
    verdicts = [change for key in common for change in _verdict_changes(key, in_a[key], in_b[key])]
    moves = [move for key in common for move in _moves(key, in_a[key], in_b[key])]
    manifests = [run.read_manifest() for run in (a, b)]
    side_a, side_b = (
        Side(label, environment_title(manifest), manifest["status"])
        for label, manifest in zip(labels([a.path, b.path]), manifests, strict=True)
    )
    return Comparison(
        a=side_a,
        b=side_b,
        asked=tuple(_asked(*(manifest["arguments"] for manifest in manifests))),
        equal=len(set(common) - _changed(verdicts, moves)),
        verdicts=tuple(verdicts),
        moves=tuple(moves),
        only_in_a=tuple(key for key in in_a if key not in in_b),
        only_in_b=tuple(key for key in in_b if key not in in_a),
        claims=tuple(_claim_changes(a.read_claims(), b.read_claims())),
    )


def _key(finding: Finding) -> Key:
    return Key(
        finding.scenario, finding.workload, finding.fault, finding.placement, finding.checker, finding.aggregate
    )  # fmt: skip


def _changed(verdicts: Sequence[VerdictChange], moves: Sequence[Move]) -> set[Key]:
    return {change.key for change in verdicts} | {move.key for move in moves}


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


def _verdict_changes(key: Key, a: Finding, b: Finding) -> list[VerdictChange]:
    if a.verdict != b.verdict:
        return [VerdictChange(key, None, None, a.verdict, b.verdict, b.message)]
    return [
        VerdictChange(key, *of, _verdict(in_a), _verdict(in_b), in_b.message if in_b else "")
        for of, in_a, in_b in _passes(a, b)
        if _verdict(in_a) != _verdict(in_b)
    ]


def _verdict(epoch: EpochVerdict | None) -> str:
    return epoch.verdict if epoch else ABSENT


def _moves(key: Key, a: Finding, b: Finding) -> list[Move]:
    moves = []
    for of, in_a, in_b in _passes(a, b):
        if in_a is None or in_b is None or in_a.observed is None or in_b.observed is None:
            continue  # a figure that is there in one run only has changed its verdict too
        bound = (in_a.bound or 0.0) + (in_b.bound or 0.0)
        if not _same(in_a.observed, in_b.observed, bound):
            moves.append(Move(key, *of, in_a.observed, in_b.observed, bound))
    return moves


def _same(a: float, b: float, bound: float) -> bool:
    """Within the bound; NaN and infinities must be the same."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or (math.isfinite(a) and math.isfinite(b) and abs(a - b) <= bound)


def _passes(a: Finding, b: Finding) -> list[tuple[Pass, EpochVerdict | None, EpochVerdict | None]]:
    in_a, in_b = ({(epoch.epoch, epoch.turn): epoch for epoch in finding.per_epoch} for finding in (a, b))
    return [(of, in_a.get(of), in_b.get(of)) for of in sorted(in_a.keys() | in_b.keys())]


def _claim_changes(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> list[ClaimChange]:
    """Claims that both runs decided, and not alike."""
    before = {claim["claim"]: claim["verdict"] for claim in a if claim["verdict"] != "undecided"}
    return [
        ClaimChange(claim["claim"], claim["statement"], before[claim["claim"]], claim["verdict"])
        for claim in b
        if claim["verdict"] != "undecided" and claim["verdict"] != before.get(claim["claim"], claim["verdict"])
    ]


def _status(side: Side) -> str:
    return "" if side.status == "complete" else f" ({side.status})"


def _pass(change: VerdictChange | Move) -> str:
    return "" if change.epoch is None else f", {named((change.epoch, change.turn or 0))}"
