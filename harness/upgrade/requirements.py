"""What pip is asked for: a side's Lightning with what trials need, all else as it is in this interpreter."""

from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distributions

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.upgrade.sides import LIGHTNING, Addition, Built, Checkout, Release, Wheel

# Lightning 1.9 imports pkg_resources, which setuptools 82 no longer has.
NEEDED = ("torch", "torchmetrics", "numpy", "setuptools<82")
INSTALLERS = ("pip", "wheel")  # a new environment has its own


def pip_arguments(side: Built, additions: Sequence[Addition], named: bool = False) -> list[str]:
    """Args:
    named: call a wheel and a checkout by what it is of, and not by its path.
    """
    given = {canonicalize_name(addition.name) for addition in additions}
    rest = [text for text in NEEDED if canonicalize_name(Requirement(text).name) not in given]
    return [_argument(each, named) for each in (side, *additions)] + rest


def _argument(each: Built | Addition, named: bool) -> str:
    if isinstance(each, Release):
        return f"{each.name}=={each.version}"
    if isinstance(each, Wheel):
        return each.name if named else str(each.path)
    if isinstance(each, Checkout):
        return "Lightning" if named else str(each.folder)
    return str(each)


def constraints(additions: Sequence[Addition], installed: Iterable[Distribution] | None = None) -> list[str]:
    """Every distribution that is installed here, at its version, less Lightning and what an addition says otherwise of.

    Without the local part of a version (`2.13.0+cpu`), which the place that pip asks need not have. What a distribution
    that is left out has pinned to one version (torch and its CUDA libraries) goes with it. What is installed from
    sources (`pip install -e`) is nowhere to be had, and is left out.
    """
    here: dict[str, Distribution] = {}
    for each in distributions() if installed is None else installed:
        here.setdefault(_name_of(each), each)  # of two of one name, Python imports the first
    varied = {canonicalize_name(each.name) for each in additions if _says_which(each)} | set(LIGHTNING)
    free = varied | {name for each in varied if each in here for name in _pinned_by(here[each])}
    return sorted(
        f"{name}=={Version(each.version).public}"
        for name, each in here.items()
        if name not in free and name not in INSTALLERS and _is_published(each)
    )


def _name_of(distribution: Distribution) -> str:
    return canonicalize_name(distribution.metadata["Name"] or "")


def _says_which(addition: Addition) -> bool:
    return isinstance(addition, Wheel) or bool(addition.specifier or addition.url)


def _pinned_by(distribution: Distribution) -> set[str]:
    found: set[str] = set()
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if any(each.operator in ("==", "===") for each in requirement.specifier):
            found.add(canonicalize_name(requirement.name))
    return found


def _is_published(distribution: Distribution) -> bool:
    try:
        Version(distribution.version)
    except (InvalidVersion, TypeError):  # what is half removed has no version
        return False
    return '"editable"' not in (distribution.read_text("direct_url.json") or "")
