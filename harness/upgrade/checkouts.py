"""What is in a wheel or a source checkout, and a copy of a checkout to build from: builds write where they are made."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.upgrade.sides import Built, Checkout, Wheel

# What tools leave behind, and no build reads.
NO_SOURCES = {
    ".git", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".hypothesis", ".eggs",
    ".idea", ".vscode", "node_modules",
}  # fmt: skip
NO_SOURCES_AT_THE_TOP = {"build", "dist"}


def contents(source: Wheel | Checkout) -> str:
    """A digest: of a checkout, of the names and bytes of the files that are copied."""
    if isinstance(source, Wheel):
        with source.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for path in sorted(_files(source.folder)):
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        digest.update(f"{path.relative_to(source.folder)}\0{len(content)}\0".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.hexdigest()


@contextmanager
def copied(side: Built) -> Iterator[Built]:
    """A side that can be built from: a checkout in a folder of its own, with what its digest is of."""
    if not isinstance(side, Checkout):
        yield side
        return
    with tempfile.TemporaryDirectory(prefix="epoch-harness-build-") as folder:
        copy = Path(folder, side.folder.name or "checkout")
        for path in _files(side.folder):
            there = copy / path.relative_to(side.folder)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there, follow_symlinks=False)
        yield Checkout(copy)


def _files(folder: Path) -> Iterator[Path]:
    """Of a checkout, links as they are; less version control, caches, builds, and virtual environments."""
    for here, folders, files in os.walk(folder):
        left_out = NO_SOURCES | (NO_SOURCES_AT_THE_TOP if Path(here) == folder else set())
        below = [Path(here, name) for name in folders if name not in left_out and not name.endswith(".egg-info")]
        links = [path for path in below if path.is_symlink()]
        folders[:] = [path.name for path in below if not path.is_symlink() and not (path / "pyvenv.cfg").exists()]
        yield from links
        for name in files:
            if not name.endswith(".pyc") and name not in NO_SOURCES and Path(here, name).exists():
                yield Path(here, name)
