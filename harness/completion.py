"""What a shell completes: names that are known without importing scenarios and their frameworks, which takes seconds.

The ids of scenarios are those that the last command found that looked for them; it keeps them in the cache.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from harness.faults import library as faults_library
from harness.run_directory import RunDirectory
from harness.workloads import library as workloads_library

FILE = "scenarios.json"


def remember(scenarios: Iterable[str]) -> None:
    """Keep the ids of scenarios; where that cannot be, nothing is kept."""
    with suppress(OSError, RuntimeError):  # such as of no home
        if _remembered() != (ids := sorted(scenarios)):
            _file().parent.mkdir(parents=True, exist_ok=True)
            RunDirectory(_file().parent).replace(_file(), json.dumps(ids) + "\n")


def filters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of scenarios, workloads behind an `@`; files, if there is none."""
    # bash takes an @ that is not quoted for a word of its own.
    before: tuple[str, ...] = ctx.params.get(param.name or "") or ()
    if incomplete == "@" or before[-1:] == ("@",):
        return _starting_with(incomplete.removeprefix("@"), workloads_library.NAMES)
    scenario, at, workload = incomplete.partition("@")
    if at:
        return [
            CompletionItem(f"{scenario}@{each.value}") for each in _starting_with(workload, workloads_library.NAMES)
        ]
    return _starting_with(incomplete, _remembered()) or _files(incomplete)


def faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _starting_with(incomplete, faults_library.NAMES) or _files(incomplete)


def versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last release of each minor version of Lightning that is known here; files, if there is none."""
    from harness.upgrade.baselines import VERSIONS

    return _starting_with(incomplete, VERSIONS) or _files(incomplete)


def _starting_with(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _remembered() -> list[str]:
    try:
        names = json.loads(_file().read_text())
    except (OSError, ValueError, RuntimeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _file() -> Path:
    from harness.upgrade.environments import cache

    return cache() / FILE
