"""An interpreter for each side: the one that it names, or that of an environment built for it, kept in a cache.

The environment of a side is in `environments/KEY-…` of the cache, where KEY is made of what was asked for. It counts
only once `complete.json` is in it, which is written last and says what is installed; and only as long as that is, but
for what was asked for, as it is installed here. What never got that far was begun by somebody who did not end, and is
removed. Who builds holds a lock; who finds an environment complete needs none.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC
from pathlib import Path

from filelock import FileLock, Timeout
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.engine.engines import LOCAL, Where
from harness.errors import HarnessError, UsageError
from harness.upgrade import installing
from harness.upgrade.checkouts import contents, copied
from harness.upgrade.requirements import constraints, pip_arguments
from harness.upgrade.sides import LIGHTNING, Addition, Built, Checkout, Interpreter, Release, Side, Wheel

COMPLETE = "complete.json"
OLDEST_PYTHON = (3, 11)
LOOKING_S = 180.0  # an import of Lightning and TensorFlow, on a machine that is busy

# What trials run on besides Lightning: names of distributions, and of the modules that they are imported by.
OF_TORCH = ("torch", "torchmetrics", "numpy")

# Runs in any Python, however old. Its answer is the last line of what it prints. Of two distributions of one name the
# first on the path counts, as for an import; of what is imported, what it says itself.
LOOK = """
import json, sys
found = {"python": ".".join(map(str, sys.version_info[:3])), "new_enough": sys.version_info >= %r}
if found["new_enough"]:
    import re
    from importlib.metadata import distributions
    found["installed"] = names = {}
    for each in distributions():
        if each.metadata["Name"] and each.version:  # what is half removed has neither
            names.setdefault(re.sub("[-_.]+", "-", each.metadata["Name"]).lower(), each.version)
    import numpy, torch
    try:
        import pytorch_lightning
    except ModuleNotFoundError as error:
        if error.name != "pytorch_lightning":
            raise
        import lightning.pytorch
    for name in %r:
        version = str(getattr(sys.modules.get(name.replace("-", "_")), "__version__", ""))
        if version[:1].isdigit():
            names[name] = version
print()
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Provided:
    """An environment that trials can run in.

    Attributes:
        title: which Lightning it has, what it was given besides, and which versions of what trials run on.
        built: it was built now, and not found in the cache.
        installed: version by name of distribution, in lower case with hyphens.
    """

    python: Path
    title: str
    built: bool
    installed: Mapping[str, str]
    where: Where = field(default_factory=Where)

    @property
    def interpreter(self) -> str:
        """Its path on this machine; empty if trials run elsewhere."""
        return str(self.python) if self.where.engine == LOCAL else ""

    @property
    def lightning(self) -> str:
        """Its version."""
        return next((self.installed[name] for name in LIGHTNING if name in self.installed), "")


def provide(side: Side, additions: Sequence[Addition], tell: Callable[[str], None]) -> Provided:
    """The environment of a side; built, if it is not an interpreter's and not in the cache.

    Args:
        additions: as `sides.parse_additions` made them.
        tell: is told what takes time.

    Raises:
        UsageError: it cannot be installed, or what is installed cannot be used.
        UndecidedError: what pip is configured to ask could not be reached.
        HarnessError: it could not be built on this machine.
    """
    if isinstance(side, Interpreter):
        found = look_into(side.python, str(side.python), os.environ)
        return Provided(side.python, title(side, additions, found), False, found)
    given = ", ".join(each.path.name if isinstance(each, Wheel) else str(each) for each in additions)
    label = f"{side.label} with {given}" if given else side.label
    try:
        folder, built = _kept_or_built(side, additions, label, tell)
        installed = _complete(folder) or {}
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise HarnessError(f"the disk is full: no room for an environment for {label} in {cache()}") from error
        raise HarnessError(f"no environment for {label} in {cache()}: {error}") from error
    return Provided(folder / "bin/python", title(side, additions, installed), built, installed)


def cache() -> Path:
    """`$EPOCH_HARNESS_CACHE`, or what the XDG base directory specification says."""
    if own := os.environ.get("EPOCH_HARNESS_CACHE"):
        return Path(os.path.abspath(own))
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "epoch-harness"


def hold(provided: Provided, found: Mapping[str, str]) -> None:
    """Hold what a trial's process has against what the environment is said to have.

    Args:
        found: `packages` of what the process found (`harness.environment.Environment.found`).

    Raises:
        UsageError: it imports another Lightning, torch, torchmetrics or NumPy.
    """
    for name in (*LIGHTNING, *OF_TORCH):
        said, there = (each.get(name, "") for each in (provided.installed, found))
        if not _same(said, there):
            raise UsageError(
                f"{provided.title}: trials would run {_named(name, there)}, where the environment has "
                f"{_named(name, said)}; {_what_to_do(provided.python)}"
            )


def _same(one: str, other: str) -> bool:
    try:
        return one == other or Version(one) == Version(other)
    except InvalidVersion:
        return False


def _named(name: str, version: str) -> str:
    return f"{name} {version}" if version else f"no {name}"


def _what_to_do(python: Path) -> str:
    if path := os.environ.get("PYTHONPATH"):
        return f"unset PYTHONPATH, which is {path} and is looked into before what is installed"
    if python.is_relative_to(cache()):
        return f"remove {python.parents[1]}, and it is built anew"
    return f"have {python} find one of each alone"


def look_into(python: Path, what: str, surroundings: Mapping[str, str]) -> dict[str, str]:
    """What is installed for an interpreter that can import Lightning and NumPy.

    Args:
        surroundings: the variables that it is started with.

    Raises:
        UsageError: it does not run, is too old, or cannot import them.
    """
    try:
        done = subprocess.run(
            [str(python), "-c", LOOK % (OLDEST_PYTHON, (*LIGHTNING, *OF_TORCH))], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", env={**surroundings, "PYTHONSAFEPATH": "1"},
            timeout=LOOKING_S, check=False,
        )  # fmt: skip
    except OSError as error:
        raise UsageError(f"{what} cannot be run: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{what} did not import Lightning within {LOOKING_S:.0f} seconds") from error
    words = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
    if done.returncode != 0:
        raise UsageError(f"{what} cannot import NumPy, torch and Lightning: {installing.shortened(words[-1].strip())}")
    try:
        found = json.loads(done.stdout.splitlines()[-1])
        new_enough, version = found["new_enough"], found["python"]
    except (IndexError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{what} is not a Python interpreter") from error
    if not new_enough:
        raise UsageError(f"{what} is Python {version}; trials need {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return dict(sorted(found["installed"].items()))


def _kept_or_built(
    side: Built, additions: Sequence[Addition], label: str, tell: Callable[[str], None]
) -> tuple[Path, bool]:
    environments = cache() / "environments"
    environments.mkdir(parents=True, exist_ok=True)
    pinned = constraints(additions)
    key = _key(side, additions)
    if kept := _kept(environments, key, pinned):
        return kept, False
    with _locked(environments / f"{key}.lock", label, tell):
        if kept := _kept(environments, key, pinned):  # built while we waited
            return kept, False
        for folder in environments.glob(f"{key}-*"):
            if not _usable(folder):
                shutil.rmtree(folder, ignore_errors=True)
        return _build(side, additions, pinned, environments, key, label, tell), True


def _key(side: Built, additions: Sequence[Addition]) -> str:
    """What a wheel or checkout is called, or where it lies, does not matter, but what is in it does."""
    files = [each for each in (side, *additions) if isinstance(each, (Wheel, Checkout))]
    decisive = {
        "python": [sys.implementation.name, platform.python_version(), sys.base_prefix, sysconfig.get_platform()],
        "requirements": pip_arguments(side, additions, named=True),
        "contents": [contents(each) for each in files],
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _locked(path: Path, label: str, tell: Callable[[str], None]) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell(f"waiting for the environment for {label}, which another process is building")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _kept(environments: Path, key: str, pinned: Sequence[str]) -> Path | None:
    here = dict(line.split("==") for line in pinned)
    for folder in sorted(environments.glob(f"{key}-*")):
        installed = _complete(folder) or {}
        if _usable(folder) and all(
            Version(installed[name]).public == version for name, version in here.items() if name in installed
        ):
            return folder
    return None


def _usable(folder: Path) -> bool:
    """Complete, and its Python is there: the one that it is a link to may have been removed since."""
    return _complete(folder) is not None and os.access(folder / "bin/python", os.X_OK)


def _complete(folder: Path) -> dict[str, str] | None:
    """What is installed in an environment; None if it was never completed."""
    try:
        installed: dict[str, str] = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))["installed"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return installed


def _build(
    side: Built, additions: Sequence[Addition], pinned: Sequence[str], environments: Path, key: str, label: str,
    tell: Callable[[str], None],
) -> Path:  # fmt: skip
    tell(f"building an environment for {label} …")
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=environments))
    try:
        with copied(side) as source:
            installing.make(folder, pip_arguments(source, additions), pinned, environments / f"{key}.log", label)
        _keep_the_one_asked_for(side, folder)
        what = f"the environment built for {label}"
        installed = look_into(folder / "bin/python", what, installing.surroundings())
        written = folder / f"{COMPLETE}.new"
        with written.open("w", encoding="utf-8") as file:
            json.dump({"for": label, "installed": installed}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(written, folder / COMPLETE)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    tell(f"… took {time.monotonic() - started:.0f} s, kept in {folder}")
    return folder


def _keep_the_one_asked_for(side: Built, folder: Path) -> None:
    """The distribution `lightning` requires any `pytorch-lightning`, which trials would take in its place: it goes."""
    asked_by_name = not isinstance(side, Checkout) and side.name == LIGHTNING[0]
    if not asked_by_name and any(folder.glob(f"lib/python*/site-packages/{LIGHTNING[1]}-*.dist-info")):
        installing.remove(folder, LIGHTNING[0])


def title(side: Side, additions: Sequence[Addition], installed: Mapping[str, str]) -> str:
    lightning = next((installed[name] for name in LIGHTNING if name in installed), "of unknown version")
    where = "" if isinstance(side, Release) else f" ({side.label})"
    names = dict.fromkeys([*(canonicalize_name(each.name) for each in additions), *OF_TORCH])
    return ", ".join(
        [f"Lightning {lightning}{where}", *(f"{name} {installed[name]}" for name in names if name in installed)]
    )
