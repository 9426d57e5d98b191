"""The environment of a side on a Ray cluster: one that Ray makes on every node, kept there."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement

from harness.engine.engines import Where
from harness.engine.local import DEFAULT_LIMIT_S
from harness.environment import Environment
from harness.errors import UsageError
from harness.scenario import DEFAULT_FRAMEWORK
from harness.upgrade.environments import Provided, title
from harness.upgrade.requirements import pip_arguments
from harness.upgrade.sides import Addition, Release, Side


def provide(side: Side, additions: Sequence[Addition], where: Where, packages: Iterable[str]) -> Provided:
    """As `environments.provide`; the cluster has been joined.

    Raises:
        UsageError: it is no release, or cannot be installed.
        UndecidedError: the cluster did not make it in time.
    """
    local = [each.label for each in (side, *additions) if not isinstance(each, (Release, Requirement))]
    if not isinstance(side, Release) or local:
        raise UsageError(f"{', '.join(local)} is of this machine: with --engine ray a side is a version, such as 2.5.6")
    where = replace(where, requirements=tuple(pip_arguments(side, additions)))
    with where.start([DEFAULT_FRAMEWORK], 1, DEFAULT_LIMIT_S, 2, "", packages) as engine:
        found: Environment = engine.environments[DEFAULT_FRAMEWORK]
    installed = found.found["packages"]
    return Provided(Path(found.found["executable"]), title(side, additions, installed), True, installed, where)
