"""What the two sides of an upgrade are: which Lightning, and what else is installed other than here."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError

SIDES = BASELINE, CANDIDATE = "baseline", "candidate"
LIGHTNING = ("pytorch-lightning", "lightning")  # the same code, published under two names
PROJECT_FILES = ("pyproject.toml", "setup.py")
FORMS = (
    "a version (2.5.6, or lightning==2.5.6), or the path of a wheel (x.whl), of a source checkout (a folder with "
    "pyproject.toml or setup.py) or of a Python interpreter"
)


@dataclass(frozen=True)
class Release:
    """A published version, under one of the names that Lightning is published by."""

    version: Version
    name: str = LIGHTNING[0]

    @property
    def label(self) -> str:
        return f"Lightning {self.version}"


@dataclass(frozen=True)
class Wheel:
    """A wheel file, of the distribution `name`."""

    path: Path
    name: str

    @property
    def label(self) -> str:
        return f"the wheel {self.path.name}"


@dataclass(frozen=True)
class Checkout:
    """A folder with the sources of a distribution, which may be called by either name."""

    folder: Path

    @property
    def label(self) -> str:
        return f"the checkout {self.folder}"


@dataclass(frozen=True)
class Interpreter:
    """A Python that has its Lightning already. The path of a virtual environment's is a link, and is left one."""

    python: Path

    @property
    def label(self) -> str:
        return str(self.python)


Built = Release | Wheel | Checkout
Side = Built | Interpreter
Addition = Requirement | Wheel


def parse(text: str) -> Side:
    """What BASELINE or CANDIDATE stands for. What could be a version is one: a folder of such a name is `./2.5.6`.

    A version is one of `pytorch-lightning`; for code that imports `lightning.pytorch`, write `lightning==2.5.6`.

    Raises:
        UsageError: it is none of the things that a side can be.
    """
    name, _, version = text.rpartition("==")
    try:
        if canonicalize_name(name or LIGHTNING[0]) in LIGHTNING:
            return Release(Version(version), canonicalize_name(name) or LIGHTNING[0])
    except InvalidVersion:
        pass
    if not text:
        raise UsageError(f"a side is empty; name {FORMS}")
    path = Path(os.path.abspath(Path(text).expanduser()))
    if path.suffix == ".whl":
        wheel = _wheel(path)
        if wheel.name not in LIGHTNING:
            raise UsageError(f"{text} is a wheel of {wheel.name}, not of Lightning; add it to one with --with {text}")
        return wheel
    if path.is_dir():
        if (path / "pyvenv.cfg").is_file() and os.access(path / "bin/python", os.X_OK):
            return Interpreter(path / "bin/python")
        if any((path / name).is_file() for name in PROJECT_FILES):
            return Checkout(path)
        raise UsageError(f"{text} is a folder without {' or '.join(PROJECT_FILES)}: neither a checkout nor a venv")
    if path.is_file():
        if os.access(path, os.X_OK):
            return Interpreter(path)
        raise UsageError(f"{text} is a file that is neither a wheel nor executable; name {FORMS}")
    if os.sep in text:
        raise UsageError(f"there is no {text}; name {FORMS}")
    raise UsageError(f"{text!r} is no version, and there is no such file; name {FORMS}")


def parse_additions(side: Side, texts: Sequence[str]) -> tuple[Addition, ...]:
    """What a side is to have besides Lightning: requirements such as `torchmetrics==1.8`, or wheels.

    One without a version, such as `torchvision`, is installed as it is here.

    Raises:
        UsageError: not a requirement; of Lightning itself; twice of one distribution; or of an interpreter, which has
            what it has.
    """
    if texts and isinstance(side, Interpreter):
        raise UsageError(
            f"{side.label} is used as it is, and cannot be given {', '.join(texts)}; install that there, "
            f"or name a version, a wheel or a checkout instead of an interpreter"
        )
    additions = tuple(_addition(text) for text in texts)
    names = [canonicalize_name(addition.name) for addition in additions]
    for name in names:
        if name in LIGHTNING:
            raise UsageError(f"leave {name} out of --with: BASELINE and CANDIDATE say which Lightning")
        if names.count(name) > 1:
            raise UsageError(f"{name} is asked for twice of {side.label}: {', '.join(texts)}")
    return additions


def _addition(text: str) -> Addition:
    if text.endswith(".whl") and "@" not in text:
        return _wheel(Path(os.path.abspath(Path(text).expanduser())))
    try:
        addition = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"--with {text!r} is not a requirement such as 'torchmetrics==1.8': {error}") from error
    if (addition.url or "").startswith("file:"):
        raise UsageError(f"--with {text!r}: give the path of the wheel alone")
    return addition


def _wheel(path: Path) -> Wheel:
    if not path.is_file():
        raise UsageError(f"there is no wheel {path}")
    try:
        name, *_ = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise UsageError(f"{path} is not called as wheels are: {error}") from error
    return Wheel(path, name)
