"""What came of comparing two environments, and what that amounts to for who gates on it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.comparison.accepted import Accepted
from harness.comparison.differences import CLASSES, REGRESSIONS, Difference, Group, Key, grouped
from harness.environment import IS_INSTALLED
from harness.report.render import render, save

EXIT_NO_REGRESSION, EXIT_REGRESSION, EXIT_UNDECIDED = 0, 1, 3
MOST_SHOWN = 12
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Side:
    """One of the two environments.

    Attributes:
        label: what it was asked for by.
        environment: what is installed there.
        status: of its run.
        python: the interpreter, for commands that reproduce what it shows; empty if that is not known.
    """

    label: str
    environment: str
    status: str
    python: str = ""


@dataclass(frozen=True)
class OneSided:
    """A trial that ran on one side only, and why, as far as that is known."""

    key: Key
    side: str
    reason: str
    decides: bool

    @staticmethod
    def of(key: Key, side: str, reason: str, baseline: bool) -> "OneSided":
        """What only the baseline has is not decided; unless the scenario itself is for other versions."""
        return OneSided(key, side, reason, decides=baseline and not reason.endswith(IS_INSTALLED))

    def __str__(self) -> str:
        return f"{self.key}: in {self.side} only" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Undecided:
    """Something that could not be compared."""

    key: Key
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.why}"


@dataclass(frozen=True)
class Asked:
    """Something that the two sides were not asked alike: `seed`, `device`, `filters` or `faults`."""

    what: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.what} {self.a} in A, {self.b} in B"


@dataclass(frozen=True)
class ClaimChange:
    """A claim that both sides decided, and not alike."""

    claim: str
    statement: str
    a: str
    b: str


@dataclass(frozen=True)
class Comparison:
    """How the candidate (B) differs from the baseline (A).

    Attributes:
        compared: how many trials ran on both sides.
        unstable: what is told under a name of its own, and two runs of the same side do not agree on.
        stopped: why it ended before all was done that does not stand in the status of a side; empty if it did not.
        deprecations: what the candidate warns will go, whether or not the baseline did.
        unused: entries of the file of accepted differences that nothing matches.
        left_out: what was not asked of either side, in words.
        fail_on: the classes that count as a regression.
        cost: what `harness.upgrade` measured of time and of exact counters; None where nothing was.
        notes: on what the exit code does not depend.
        given: as that of a catalog.
    """

    a: Side
    b: Side
    compared: int
    differences: tuple[Difference, ...]
    one_sided: tuple[OneSided, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    unstable: tuple[Undecided, ...] = ()
    asked: tuple[Asked, ...] = ()
    claims: tuple[ClaimChange, ...] = ()
    deprecations: tuple[str, ...] = ()
    unused: tuple[Accepted, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fail_on: tuple[str, ...] = REGRESSIONS
    cost: dict[str, Any] | None = None
    seed: int = 0
    stopped: str = ""
    given: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def groups(self) -> list[Group]:
        """The same change in several trials is told once; those that are accepted come last."""
        return sorted(grouped(self.differences), key=lambda group: not group.counts)

    @property
    def regressions(self) -> list[Group]:
        return [group for group in self.groups if group.counts and group.first.kind in self.fail_on]

    @property
    def trials_changed(self) -> int:
        return len({each.key for each in self.differences})

    @property
    def exit_code(self) -> int:
        """0 no regression; 1 a regression; 3 nothing was compared, or something could not be."""
        if self.regressions:
            return EXIT_REGRESSION
        decided = self.compared and not self.undecided and not any(each.decides for each in self.one_sided)
        interrupted = self.stopped or any(side.status != "complete" for side in (self.a, self.b))
        return EXIT_NO_REGRESSION if decided and not interrupted else EXIT_UNDECIDED

    @property
    def title(self) -> str:
        """The answer in one line."""
        if self.exit_code == EXIT_REGRESSION:
            counts = Counter(group.first.kind for group in self.regressions)
            told = ", ".join(f"{counts[kind]} × {kind}" for kind in CLASSES if kind in counts)
            return f"Regressions: {told}"
        if not self.compared:
            return "Nothing was compared: no trial ran on both sides"
        if self.exit_code == EXIT_UNDECIDED:
            return "No regression found, and something could not be compared"
        if self.groups:
            return "No regression"
        return "Nothing changed but what changes from run to run" if self.unstable else "Nothing changed"

    def command(self, difference: Difference, side: Side) -> str:
        """What shows one side of a difference again."""
        key = difference.key
        parts = ["epoch-harness run", f"'{key.scenario}@{key.workload}'", f"--fault '{key.fault}'"]
        parts += [f"--scenarios {self.given[key.scenario]}"] if key.scenario in self.given else []
        parts += [f"--seed {self.seed}"] if self.seed else []
        parts += [f"--python {side.python}"] if side.python else []
        return " ".join(parts)

    def summary(self) -> str:
        """For a terminal: the answer, then the changes, the gravest first."""
        lines = [
            f"A  {self.a.label}: {self.a.environment}{_status(self.a)}",
            f"B  {self.b.label}: {self.b.environment}{_status(self.b)}",
            *([f"not asked alike: {'; '.join(map(str, self.asked))}"] if self.asked else []),
            *self.left_out,
        ]
        for group in self.groups[:MOST_SHOWN]:
            first = group.first
            also = f", and in {group.elsewhere} more trial{'s' * (group.elsewhere > 1)}" if group.elsewhere else ""
            accepted = f" (accepted: {first.accepted})" if first.accepted else ""
            lines += [f"{first.kind}: {first.observable}: {first.what}{accepted}", f"    {first.key}{also}"]
            lines += [f"    A  {_cut(first.a)}", f"    B  {_cut(first.b)}"]
        if len(self.groups) > MOST_SHOWN:
            lines.append(f"… and {len(self.groups) - MOST_SHOWN} more changes")
        lines += [f"claim {change.claim}: {change.a} → {change.b}" for change in self.claims]
        lines += [f"not decided: {each}" for each in _first_few(self.undecided)]
        lines += [f"not stable, so not compared: {each}" for each in _first_few(self.unstable)]
        lines += [f"one side only: {each}" for each in _first_few(self.one_sided)]
        lines += [f"accepted, and no longer there: {each}" for each in self.unused]
        lines += [*self.notes, *filter(None, [self.stopped])]
        changed = f", {self.trials_changed} of them differ" if self.trials_changed else ""
        lines.append(f"{self.title}; {self.compared} trials compared{changed}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "a": vars(self.a),
            "b": vars(self.b),
            "title": self.title,
            "exit_code": self.exit_code,
            "fail_on": list(self.fail_on),
            "compared": self.compared,
            "differences": [each.to_json() for each in self.differences],
            "one_sided": [{**vars(each), "key": vars(each.key)} for each in self.one_sided],
            "undecided": [{**vars(each), "key": vars(each.key)} for each in self.undecided],
            "unstable": [{**vars(each), "key": vars(each.key)} for each in self.unstable],
            "asked": [vars(each) for each in self.asked],
            "claims": [vars(each) for each in self.claims],
            "deprecations": list(self.deprecations),
            "unused": [each.to_json() for each in self.unused],
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "stopped": self.stopped,
            "cost": self.cost,
        }

    def write(self, out: Path, name: str) -> None:
        """Write NAME.json and NAME.md into the folder `out`.

        Raises:
            UsageError: it cannot be written.
        """
        files = {
            f"{name}.json": json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n",
            f"{name}.md": render("comparison.md.jinja", comparison=self),
        }
        save(out, files)


@dataclass
class Collected:
    """A comparison as far as it got."""

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
    one_sided: list[OneSided] = field(default_factory=list)


def _cut(text: str, width: int = 200) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _first_few(told: Sequence[Any]) -> list[str]:
    more = [f"… {len(told)} in all"] if len(told) > MOST_SHOWN else []
    return [*map(str, told[:MOST_SHOWN]), *more]


def _status(side: Side) -> str:
    return "" if side.status == "complete" else f" ({side.status})"
