"""A run on disk: what was run, where, all histories, findings and timings. See `docs/architecture.md`."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jsonschema

from harness.errors import UsageError
from harness.findings import Finding
from harness.schemas import schema

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class RunDirectory:
    """The paths of a run, and how its parts are written: appended line by line, or replaced as a whole.

    Attributes:
        written_here: what it holds was written by this process, and is not validated when it is read back: that takes
            longer than to write it.
    """

    path: Path
    written_here: bool = False

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def findings(self) -> Path:
        return self.path / "findings.jsonl"

    @property
    def timings(self) -> Path:
        return self.path / "timings.jsonl"

    @property
    def claims(self) -> Path:
        return self.path / "claims.json"

    @property
    def overlap(self) -> Path:
        """What `epoch-harness bench` measured of validation beside training, if it was asked to put it here."""
        return self.path / "overlap.json"

    def history(self, trial: str) -> Path:
        return self.path / "histories" / f"{trial}.jsonl"

    def output(self, trial: str) -> Path:
        """What the trial printed."""
        return self.path / "output" / f"{trial}.txt"

    def workload(self, name: str) -> Path:
        return self.path / "workloads" / f"{name.replace('/', '.')}.npz"

    @staticmethod
    def create(path: Path) -> "RunDirectory":
        """Make a new run directory.

        Raises:
            UsageError: there is something in that place already, or it cannot be written.
        """
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise UsageError(f"{path} is not an empty folder; name another with --out, or remove it first")
            for folder in ("histories", "output", "workloads"):
                (path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make the run directory {path}: {error.strerror}; name another with --out"
            ) from error
        return RunDirectory(path, written_here=True)

    @staticmethod
    def open(path: Path) -> "RunDirectory":
        """A run directory made earlier, complete or interrupted.

        Raises:
            UsageError: it is not one, or its parts do not follow the schema.
        """
        directory = RunDirectory(path)
        if not path.is_dir():
            raise UsageError(f"{path} is not a folder; give the run directory that `epoch-harness run` printed")
        if not directory.manifest.is_file():
            raise UsageError(f"{path} is not a run directory: it holds no manifest.json")
        version = directory.read_manifest().get("schema_version")
        if version != SCHEMA_VERSION:
            raise UsageError(f"{path} has schema version {version}; this harness reads {SCHEMA_VERSION}: run it again")
        directory._validate([directory.read_manifest()], "manifest", directory.manifest)
        return directory

    def read_manifest(self) -> dict[str, Any]:
        manifest = _parse(self.manifest, _read(self.manifest))
        if not isinstance(manifest, dict):
            raise UsageError(f"{self.manifest} is not the manifest of a run")
        return manifest

    def read_findings(self) -> list[Finding]:
        return [Finding.from_json(record) for record in self._read_lines(self.findings, "finding")]

    def read_timings(self) -> list[dict[str, Any]]:
        return self._read_lines(self.timings, "timing")

    def read_claims(self) -> list[dict[str, Any]]:
        """Empty if the run was interrupted before claims were decided."""
        if not self.claims.exists():
            return []
        claims = _parse(self.claims, _read(self.claims))
        self._validate([claims], "claims", self.claims)
        return cast("list[dict[str, Any]]", claims)

    def read_overlap(self) -> dict[str, Any] | None:
        """None if it was not measured."""
        if not self.overlap.exists():
            return None
        overlap = _parse(self.overlap, _read(self.overlap))
        self._validate([overlap], "overlap", self.overlap)
        return cast("dict[str, Any]", overlap)

    def _read_lines(self, path: Path, kind: str) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        lines = _read(path).split("\n")
        records = [_parse(path, line) for line in lines[:-1]]
        self._validate(records, kind, path)
        return records

    def _validate(self, records: Iterable[Any], kind: str, path: Path) -> None:
        if self.written_here:
            return
        validator = jsonschema.Draft202012Validator(schema(kind))
        for number, record in enumerate(records, 1):
            problem = jsonschema.exceptions.best_match(validator.iter_errors(record))
            if problem is not None:
                raise UsageError(f"{path}, record {number}, at {problem.json_path}: {problem.message}")

    def append(self, path: Path, *records: dict[str, Any]) -> None:
        """Add a line for each, whole."""
        # In ASCII, a line cut off anywhere can still be decoded, and so can any exception's message be written.
        try:
            with path.open("a", encoding="ascii") as file:
                file.write("".join(json.dumps(record, allow_nan=False) + "\n" for record in records))
        except OSError as error:  # a write that is refused does not say to which file
            raise OSError(error.errno, error.strerror, str(path)) from error

    def replace(self, path: Path, text: str) -> None:
        """Write a file so that it is there whole, or as it was before."""
        beside = path.with_name(f".{path.name}.new")
        try:
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    def replace_json(self, path: Path, data: Any) -> None:
        self.replace(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _parse(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
