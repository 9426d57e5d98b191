"""Finds scenarios: in packages that announce them by entry point (ours does too), and in files given by path."""

import importlib.util
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from harness import scenario_files
from harness.environment import requirement
from harness.errors import ScenarioError, UsageError
from harness.importing import uncollected
from harness.scenario import DEFAULT_FRAMEWORK, OWN_DATA, Claim, Scenario
from harness.workloads import library, written_out

ENTRY_POINT_GROUP = "epoch_harness.scenarios"
FRAMEWORK_MODULES = ("torch", "pytorch_lightning", "lightning", "torchmetrics", "tensorflow", "keras")


@dataclass(frozen=True)
class Unreadable:
    """A scenario file that could not be imported because a framework is missing."""

    locator: str
    reason: str

    @property
    def id(self) -> str:
        """`document/pattern/*`, since it is not known which variants it holds; or the path it was given by."""
        return scenario_files.path_of(self.locator) or "/".join([*self.locator.split(".")[-2:], "*"])

    def may_hold(self, text: str) -> bool:
        """Whether what a filter asks for may be in it."""
        if is_file(text):
            return self.locator == scenario_files.locator_of(Path(text))
        pattern, _ = split_filter(text)
        return fnmatchcase(self.id, pattern) or fnmatchcase(pattern, self.id)

    def may_be_meant(self, filters: Sequence[str]) -> bool:
        """Whether what any of the filters asks for may be in it; without a filter, everything is asked for."""
        return not filters or any(self.may_hold(text) for text in filters)


@dataclass
class Catalog:
    """All scenarios and claims that were found, in order of their ids.

    Attributes:
        given: by id of a scenario that `find` does not find, the path or module that it is from.
        references: ids of scenarios that others are the same as.
    """

    scenarios: dict[str, Scenario] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    references: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.references = {scenario.same_as for scenario in self.scenarios.values() if scenario.same_as}

    def add(self, locator: str) -> list[Scenario]:
        """Import a module or file, and add what it declares.

        Raises:
            ScenarioError: it does not import, declares an id that is taken, or what no plan can be made of.
        """
        try:
            scenarios, claims = scenario_files.load(locator)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in FRAMEWORK_MODULES:
                raise ScenarioError(f"scenario file {locator} does not import: {error}") from error
            missing = Unreadable(locator, str(error))
            self.unreadable += [missing] if missing not in self.unreadable else []
            return []
        for scenario in scenarios:
            declared_workloads(scenario)
            _check(scenario.declared_at, [scenario.needs, *(each.needs for each in scenario.aggregates)])
            _check(scenario.declared_at, [each.needs for each in scenario.expects])
            taken = self.scenarios.get(scenario.id)
            same_file = taken is not None and taken.locator != scenario.locator
            if taken not in (None, scenario) and not (same_file and taken.declared_at == scenario.declared_at):
                raise ScenarioError(
                    f"{scenario.declared_at}: scenario id {scenario.id} is taken by {taken.declared_at}; "
                    f"give it another pattern or variant"
                )
            self.scenarios[scenario.id] = scenario
            self.references |= {scenario.same_as} - {""}
        for claim in claims:
            _check(f"claim {claim.id}", [each.needs for each in claim.expects])
            if self.claims.setdefault(claim.id, claim) != claim:
                raise ScenarioError(f"claim id {claim.id} is declared twice, the second time in {locator}")
        return scenarios

    def select(self, filters: Sequence[str]) -> list[Scenario]:
        """Scenarios that match any filter, ordered by id; all of them without a filter.

        A filter is a glob over scenario ids, which may name a workload after an @
        (``epoch_averaging/*@digits/ragged``), or the path of a scenario file, which is then loaded.

        Raises:
            UsageError: malformed, or it matches nothing.
            ScenarioError: the file cannot be used.
        """
        if not filters:
            return sorted(self.scenarios.values(), key=lambda scenario: scenario.id)
        chosen: dict[str, Scenario] = {}
        for text in filters:
            found = self._match(text)
            chosen.update({scenario.id: scenario for scenario in found})
        return sorted(chosen.values(), key=lambda scenario: scenario.id)

    def holds_back(self, filters: Sequence[str]) -> bool:
        """Whether some of what filters ask for may be in files that cannot be read here."""
        return any(missing.may_be_meant(filters) for missing in self.unreadable)

    @property
    def packages(self) -> set[str]:
        """The top-level packages and modules that scenarios come from; files given by path are none."""
        locators = [each.locator for each in self.scenarios.values()] + [each.locator for each in self.unreadable]
        return {locator.split(".")[0] for locator in locators if not scenario_files.path_of(locator)}

    def frameworks(self, filters: Sequence[str]) -> list[str]:
        """Those that the selected scenarios run in; the default one if no scenario could be read."""
        return sorted({scenario.framework for scenario in self.select(filters)}) or [DEFAULT_FRAMEWORK]

    def claims_about(self, scenario: str) -> list[str]:
        """Ids of the claims that a scenario's findings help to decide."""
        return [
            claim.id
            for claim in self.claims.values()
            if any(fnmatchcase(scenario, glob) for condition in claim.holds_when for glob in condition.scenarios)
        ]

    def _match(self, text: str) -> list[Scenario]:
        if is_file(text):
            return self._file(Path(text))
        pattern, _ = split_filter(text)
        found = [scenario for scenario in self.scenarios.values() if fnmatchcase(scenario.id, pattern)]
        if not found and not any(missing.may_hold(text) for missing in self.unreadable):
            raise UsageError(f"no scenario matches {pattern!r}{self.hint(pattern)}; see: epoch-harness list")
        return found

    def add_from(self, text: str) -> list[str]:
        """Add a scenario file by its path, or a module, with all modules below it if it is a package, by its name.

        One that is not installed is looked for in the working directory.

        Returns:
            Filters that select what was added: at least one, also where a framework is missing that it imports.

        Raises:
            UsageError, ScenarioError: as `find`.
        """
        if is_file(text):
            declared = self._file(Path(text))
            return [*(each.id for each in declared), *(each.id for each in self.unreadable if each.may_hold(text))]
        if not all(map(str.isidentifier, text.split("."))):
            raise UsageError(f"{text!r} is neither a scenario file (mine.py) nor the name of a module (mine.scenarios)")
        if importlib.util.find_spec(text.split(".")[0]) is None:
            sys.path.append(os.getcwd())
        locators = [*_modules_in(text, "--scenarios")]
        declared = [each for locator in locators for each in self.add(locator)]
        missing = [each for each in self.unreadable if each.locator in locators]
        if not declared and not missing:
            raise ScenarioError(f"{text} declares no scenario, nor does a module below it; call harness.scenario(...)")
        self.given |= dict.fromkeys((each.id for each in declared), text)
        return [*(each.id for each in declared), *(each.id for each in missing)]

    def _file(self, path: Path) -> list[Scenario]:
        if not path.is_file():
            raise UsageError(f"there is no scenario file {path}")
        declared = self.add(scenario_files.locator_of(path))
        if not declared and not any(missing.may_hold(str(path)) for missing in self.unreadable):
            raise ScenarioError(f"scenario file {path} declares no scenario; call harness.scenario(...) in it")
        self.given |= dict.fromkeys((each.id for each in declared), str(path))
        return declared

    def hint(self, pattern: str) -> str:
        """What may have been meant, for a message; empty if nothing is like it."""
        words = {scenario.id for scenario in self.scenarios.values()}
        words |= {scenario.pattern for scenario in self.scenarios.values()}
        close = get_close_matches(pattern, sorted(words), n=1, cutoff=0.5)
        return f" (did you mean {close[0]!r}?)" if close else ""


def declared_workloads(scenario: Scenario) -> list[str]:
    """Those of the listed workloads that a scenario runs on.

    Raises:
        ScenarioError: there is none.
    """
    if scenario.data:
        return [OWN_DATA]
    declared = [name for name in library.NAMES if any(fnmatchcase(name, glob) for glob in scenario.workloads)]
    if not declared:
        raise ScenarioError(
            f"{scenario.declared_at}: scenario {scenario.id} runs on no workload: {', '.join(scenario.workloads)}; "
            f"the workloads are: {', '.join(library.NAMES)}"
        )
    return declared


def workloads_of(scenario: Scenario, filters: Sequence[str]) -> list[str]:
    """The workloads that a scenario declares, narrowed by those filters that name it and a workload.

    A workload that a filter writes out is not listed anywhere: it is taken if the scenario's globs admit it.
    """
    globs = [
        workload
        for pattern, workload in (split_filter(text) for text in filters if not is_file(text))
        if fnmatchcase(scenario.id, pattern)
    ] or ["*"]
    added = [
        text
        for text in globs
        if written_out.is_written_out(text) and any(fnmatchcase(text, glob) for glob in scenario.workloads)
    ]
    listed = [name for name in declared_workloads(scenario) if any(fnmatchcase(name, glob) for glob in globs)]
    return [*listed, *dict.fromkeys(added)]


def _check(where: str, requirements: Iterable[str]) -> None:
    """What a declaration, made in trials too, cannot: whether the versions in its requirements are versions."""
    for needs in filter(None, requirements):
        try:
            requirement(needs)
        except ScenarioError as error:
            raise ScenarioError(f"{where}: {error}") from error


def is_file(text: str) -> bool:
    return text.endswith(".py")


def split_filter(text: str) -> tuple[str, str]:
    """The scenario glob and the workload glob (``*`` if none) of a filter.

    Raises:
        UsageError: empty, with a bracket that is never closed, or with a workload that is written out and
            malformed, or of a data set that there is not.
    """
    pattern, at, workload = text.partition("@")
    if not pattern or (at and not workload):
        raise UsageError(
            f"malformed filter {text!r}: write SCENARIO or SCENARIO@WORKLOAD, "
            f"for example 'epoch_averaging/*@digits/ragged'"
        )
    if re.search(r"\[[^\]]*$", text):
        raise UsageError(f"malformed filter {text!r}: a '[' is never closed")
    if written_out.is_written_out(workload):
        dataset, _, batches = workload.partition("/")
        if dataset not in library.DATASETS:
            raise UsageError(f"{text}: there is no data set {dataset!r}; there are: {', '.join(library.DATASETS)}")
        written_out.parse(batches)
    return pattern, workload or "*"


def find(extra: Iterable[Path | str] = ()) -> Catalog:
    """The scenarios of all installed packages that announce some, and of the files, modules and packages in `extra`.

    Raises:
        UsageError: there is no such file, or what is given is neither a file nor the name of a module.
        ScenarioError: a package, module or file cannot be used, or declares no scenario.
    """
    catalog = Catalog()
    with uncollected():
        for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.value):
            for locator in _modules_in(entry.value, f"entry point group {ENTRY_POINT_GROUP}"):
                catalog.add(locator)
        for each in extra:
            catalog.add_from(str(each))
    return catalog


def _modules_in(package: str, named_by: str) -> list[str]:
    """The package or module itself, and every module below it."""
    try:
        module = import_module(package)
        # Imports the packages below it, to look into them.
        below = [info.name for info in pkgutil.walk_packages(getattr(module, "__path__", ()), prefix=f"{package}.")]
    except (Exception, SystemExit) as error:
        raise ScenarioError(
            f"{named_by} names {package}, which cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return [package, *below]
