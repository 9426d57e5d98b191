"""Which faults scenarios are to run under: of those that are listed by name, and of files by what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.catalog import Catalog
from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.faults.fitting import did_you_mean
from harness.faults.library import NAMES, SCHEDULES, Schedule, unheeded
from harness.faults.written_out import WrittenOut, is_file, read
from harness.scenario import Scenario


@dataclass(frozen=True)
class Faults:
    """Globs over the names of faults, and schedules from files."""

    globs: Sequence[str] = ("*",)
    files: Sequence[WrittenOut] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """As they were asked for."""
        return (*self.globs, *(file.path for file in self.files))

    def of(self, scenario: Scenario, workload: str) -> dict[str, Schedule]:
        """Those of a scenario on a workload by name, in the order of `NAMES`, then of files; without those that cannot
        be injected into it."""
        named = {name: SCHEDULES[name] for name in self._named(scenario, self.globs)}
        return named | {
            file.name: file.faults for file in self.files if (file.scenario, file.workload) == (scenario.id, workload)
        }

    def check(self, scenarios: Sequence[Scenario]) -> None:
        """Raises:
        UsageError: a glob matches no fault that any of the scenarios runs under.
        """
        for glob in self.globs:
            if scenarios and not any(self._named(scenario, [glob]) for scenario in scenarios):
                known = list(dict.fromkeys(name for each in scenarios for name in self._named(each, ["*"])))
                raise UsageError(
                    f"no fault that a selected scenario runs under matches {glob!r}{did_you_mean(glob, known)}; "
                    f"see: epoch-harness list --json"
                )

    def _named(self, scenario: Scenario, globs: Sequence[str]) -> list[str]:
        return [
            name
            for name in NAMES
            if any(fnmatchcase(name, glob) for glob in scenario.faults)
            and any(fnmatchcase(name, glob) for glob in globs)
            and not unheeded(SCHEDULES[name], scenario.framework, scenario.ranks)
        ]


EVERY_FAULT = Faults()
NO_FAULT = Faults((NONE,))


@dataclass(frozen=True)
class Selection:
    """What filters and faults on a command line amount to together."""

    filters: tuple[str, ...]
    faults: Faults
    seed: int


def select(catalog: Catalog, filters: Sequence[str], faults: Sequence[str], seed: int | None) -> Selection:
    """Without filters, files say which scenarios are selected; without a seed, which it is.

    Args:
        faults: globs, and paths of files.

    Raises:
        UsageError: a file cannot be used, or not beside another.
    """
    catalog.select(filters)  # loads the files of scenarios that are named
    files = [read(Path(text), catalog, filters, seed) for text in faults if is_file(text)]
    for index, file in enumerate(files):
        for other in files[:index]:
            if (file.name, file.filter) == (other.name, other.filter):
                raise UsageError(f"{file.path} and {other.path} are both called {file.name}: rename one")
    seeds = {file.seed: file for file in files if file.seed is not None}
    if len(seeds) > 1:
        said = " and ".join(f"{file.path} says seed {number}" for number, file in seeds.items())
        raise UsageError(f"{said}, and a run has one: run them one by one")
    globs = tuple(text for text in faults if not is_file(text)) or (() if files else EVERY_FAULT.globs)
    return Selection(
        tuple(filters) or tuple(dict.fromkeys(file.filter for file in files)),
        Faults(globs, files),
        seed if seed is not None else next(iter(seeds), 0),
    )
