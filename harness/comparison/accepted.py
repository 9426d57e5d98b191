"""Differences that somebody has looked at and accepts: a reviewed file, with a reason for each."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jsonschema
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from harness.comparison.differences import CLASSES, FASTER, SLOWER, Difference
from harness.errors import UsageError
from harness.schemas import schema

Versions = Mapping[str, str]  # of Lightning: `baseline`, `candidate`


@dataclass(frozen=True)
class Accepted:
    """One entry. Globs that are left out match everything; so do versions.

    Attributes:
        reason: why it is accepted; required.
        kind: the class of the difference (`class` in the file).
        what: a glob over what changed, in words.
        baseline, candidate: which versions of Lightning it is about, such as ``">=2.5,<2.6"``.
    """

    reason: str
    kind: str = "*"
    observable: str = "*"
    what: str = "*"
    scenario: str = "*"
    workload: str = "*"
    fault: str = "*"
    baseline: str = ""
    candidate: str = ""

    def covers(self, difference: Difference) -> bool:
        key = difference.key
        return (
            fnmatchcase(difference.kind, self.kind)
            and fnmatchcase(difference.observable, self.observable)
            and (difference.what == self.what or fnmatchcase(difference.what, self.what))
            and self.names(key.scenario, key.workload, key.fault)
        )

    def names(self, scenario: str, workload: str, fault: str) -> bool:
        """Whether it may be about such a trial."""
        return (
            fnmatchcase(scenario, self.scenario)
            and fnmatchcase(workload, self.workload)
            and fnmatchcase(fault, self.fault)
        )

    @property
    def is_about_time(self) -> bool:
        """Or may be, among other things."""
        return fnmatchcase("time", self.observable) and any(fnmatchcase(kind, self.kind) for kind in (SLOWER, FASTER))

    def is_about(self, versions: Versions) -> bool:
        """Whether it says anything of these two versions."""
        return all(
            not wanted or (versions.get(side) and SpecifierSet(wanted).contains(versions[side], prereleases=True))
            for side, wanted in (("baseline", self.baseline), ("candidate", self.candidate))
        )

    def to_json(self) -> dict[str, Any]:
        return vars(self)

    def __str__(self) -> str:
        given = {name: value for name, value in vars(self).items() if value not in ("*", "") and name != "reason"}
        told = ", ".join(f"{name} {value!r}" for name, value in given.items()) or "everything"
        return f"{told} ({self.reason})"


def read(path: Path) -> list[Accepted]:
    """The entries of a TOML file, each a table `[[accepted]]` (`harness/schemas/accepted.schema.json`).

    Raises:
        UsageError: it cannot be read, or an entry is malformed or has no reason.
    """
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read the accepted differences in {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    for wrong in jsonschema.Draft202012Validator(schema("accepted")).iter_errors(data):
        place = "".join(f" {part + 1}" if isinstance(part, int) else f" {part}" for part in wrong.absolute_path)
        raise UsageError(f"{path}:{place or ' the file'}: {wrong.message}")
    entries = []
    for number, entry in enumerate(data.get("accepted", ()), 1):
        kind = entry.pop("class", "*")
        _check(path, number, kind, entry)
        entries.append(Accepted(kind=kind, **entry))
    return entries


def _check(path: Path, number: int, kind: str, entry: Mapping[str, str]) -> None:
    if not any(fnmatchcase(known, kind) for known in CLASSES):
        raise UsageError(f"{path}: accepted {number}: class {kind!r} is none of {', '.join(CLASSES)}")
    for side in ("baseline", "candidate"):
        try:
            SpecifierSet(entry.get(side, ""))
        except InvalidSpecifier as error:
            raise UsageError(f"{path}: accepted {number}: {side} is no range such as '>=2.5,<2.6': {error}") from error


def apply(
    entries: Sequence[Accepted], differences: Sequence[Difference], versions: Versions
) -> tuple[list[Difference], list[Accepted]]:
    """Mark the differences that are accepted; and tell which entries about these versions match none of them."""
    about = [entry for entry in entries if entry.is_about(versions)]
    used: set[Accepted] = set()
    marked = []
    for difference in differences:
        covering = [each for each in about if each.covers(difference)]
        used.update(covering)
        marked.append(replace(difference, accepted=covering[0].reason) if covering else difference)
    return marked, [entry for entry in about if entry not in used]
