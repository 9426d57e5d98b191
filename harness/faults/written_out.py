"""Schedules of faults in files, so that what failed is kept and replays: `epoch-harness run --fault FILE`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import jsonschema

from harness.catalog import Catalog, workloads_of
from harness.errors import UsageError
from harness.faults import json_places
from harness.faults.fault import Fault
from harness.faults.fitting import did_you_mean, misfits
from harness.faults.json_places import MalformedError
from harness.faults.library import NAMES, Schedule
from harness.scenario import Scenario
from harness.schemas import schema
from harness.workloads import library

SUFFIX = ".json"
_TYPES = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)  # 1.0 is none
)  # fmt: skip
_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, type_checker=_TYPES
)


@dataclass(frozen=True)
class WrittenOut:
    """A trial under faults, as a file describes it.

    Attributes:
        seed: None if the file leaves it to the command line.
    """

    path: str
    name: str
    scenario: str
    workload: str
    faults: Schedule
    seed: int | None = None

    @property
    def filter(self) -> str:
        return f"{self.scenario}@{self.workload}"


def is_file(text: str) -> bool:
    return text.endswith(SUFFIX)


def to_json(scenario: str, workload: str, faults: Schedule, seed: int) -> dict[str, Any]:
    """What a file must hold."""
    return {"scenario": scenario, "workload": workload, "seed": seed, "faults": [fault.to_json() for fault in faults]}


def read(path: Path, catalog: Catalog, filters: Sequence[str] = (), seed: int | None = None) -> WrittenOut:
    """Read a file, and see whether the trial that it describes is among those asked for, and its faults can come about.

    Args:
        seed: as the command line has it; None if it does not say.

    Raises:
        UsageError: with the file and the place in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the fault file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not JSON: it is not written in UTF-8") from error
    try:
        return _Reading(path, text, catalog).read(filters, seed)
    except MalformedError as error:
        raise UsageError(f"{':'.join(map(str, (path, *error.place)))}: {error}") from None


@dataclass(frozen=True)
class _Reading:
    path: Path
    text: str
    catalog: Catalog

    def read(self, filters: Sequence[str], seed: int | None) -> WrittenOut:
        found = json_places.parse(self.text)
        self._check_structure(found)
        name = self._name(found)
        scenario = self._scenario(found["scenario"])
        self._check_workload(scenario, found["workload"], filters)
        said = found.get("seed")
        if None not in (said, seed) and said != seed:
            self._complain(("seed",), f"the file says seed {said}, and the command line {seed}")
        faults = tuple(Fault(**fault) for fault in found["faults"])
        self._check_faults(faults, scenario, found["workload"], said if seed is None else seed)
        return WrittenOut(str(self.path), name, scenario.id, found["workload"], faults, said)

    def _complain(self, path: json_places.Path, message: str) -> NoReturn:
        raise MalformedError(f"{json_places.written(path)}: {message}", json_places.line_of(self.text, path))

    def _check_structure(self, found: Any) -> None:
        for error in _Validator(schema("fault_schedule")).iter_errors(found):
            path = tuple(error.absolute_path)
            if error.validator == "additionalProperties":
                known = error.schema["properties"]
                unknown = next(key for key in error.instance if key not in known)
                self._complain((*path, unknown), f"nothing is called so here{did_you_mean(unknown, list(known))}")
            if error.validator != "pattern":  # of the name alone, and `_name` has better words
                self._complain(path, error.message)

    def _name(self, found: dict[str, Any]) -> str:
        """Fit for a part of a file's name, and not one that other faults have."""
        path, name = (("name",) if "name" in found else ()), found.get("name", self.path.stem)
        if not re.fullmatch(schema("fault_schedule")["properties"]["name"]["pattern"], name):
            self._complain(
                path, f"{name!r} is not fit for the name of a schedule: up to 64 letters, digits, dots, _ and -"
            )
        if name in NAMES:
            self._complain(path, f"{name!r} is the name of faults that are listed; choose another")
        return str(name)

    def _scenario(self, id: str) -> Scenario:
        if id not in self.catalog.scenarios:
            for missing in self.catalog.unreadable:
                if missing.may_hold(id):
                    self._complain(("scenario",), f"scenario {id!r} cannot be read here: {missing.reason}")
            self._complain(
                ("scenario",), f"there is no scenario {id!r}{self.catalog.hint(id)}; see: epoch-harness list"
            )
        return self.catalog.scenarios[id]

    def _check_workload(self, scenario: Scenario, workload: str, filters: Sequence[str]) -> None:
        try:
            there_is = workload in workloads_of(scenario, [f"{scenario.id}@{workload}"])
        except UsageError as error:
            self._complain(("workload",), str(error))
        if not there_is:
            self._complain(
                ("workload",),
                f"{scenario.id} runs on no workload {workload!r}{did_you_mean(workload, library.NAMES)}; "
                f"its workloads are: {', '.join(workloads_of(scenario, ()))}",
            )
        among = scenario in self.catalog.select(filters) and workload in workloads_of(scenario, filters)
        if filters and not among:
            self._complain(("scenario",), f"{scenario.id}@{workload} is not among what {' '.join(filters)} selects")

    def _check_faults(self, faults: Schedule, scenario: Scenario, workload: str, seed: int | None) -> None:
        try:
            built = library.build(workload, seed or 0)
        except UsageError as error:
            self._complain(("workload",), str(error))
        for index, attribute, why in misfits(faults, scenario, built):
            self._complain(("faults", index, *filter(None, attribute.split("."))), why)
