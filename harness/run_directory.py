"""A run on disk: what was run, where, all histories, findings and timings. See `docs/architecture.md`."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jsonschema

from harness.errors import UsageError
from harness.findings import Finding
from harness.schemas import schema
from harness.terminal import one_line

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

    @property
    def bench(self) -> Path:
        """What `epoch-harness bench` measured of strategies, if it was asked to put it here."""
        return self.path / "bench.json"

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
            (path / "histories").mkdir(parents=True)  # of two runs that begin at once, one makes it
            for folder in ("output", "workloads"):
                (path / folder).mkdir()
        except FileExistsError as error:
            raise UsageError(f"{path} is another run's by now; name another folder with --out") from error
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
        if isinstance(version, int) and version > SCHEMA_VERSION:
            by = one_line(str(directory.read_manifest().get("harness_version", "a newer version")))
            raise UsageError(
                f"{path} has schema version {version}; this harness reads {SCHEMA_VERSION}: "
                f"report it with the harness that wrote it, {by}"
            )
        if version != SCHEMA_VERSION:
            raise UsageError(f"{path} has schema version {version}; this harness reads {SCHEMA_VERSION}: run it again")
        directory._validate([directory.read_manifest()], "manifest", directory.manifest)
        return directory

    def read_manifest(self) -> dict[str, Any]:
        manifest = _parse(self.manifest, _read(self.manifest))
        if not isinstance(manifest, dict):
            raise UsageError(f"{self.manifest} is not the manifest of a run")
        return manifest

    def read_findings(self, damage: list[str] | None = None) -> list[Finding]:
        """Raises:
        UsageError: a line cannot be read; unless `damage` is given, to which that is added in words.
        """
        return [Finding.from_json(record) for record in self._read_lines(self.findings, "finding", damage)]

    def read_timings(self, damage: list[str] | None = None) -> list[dict[str, Any]]:
        """As `read_findings`."""
        return self._read_lines(self.timings, "timing", damage)

    def read_claims(self, damage: list[str] | None = None) -> list[dict[str, Any]]:
        """As `read_findings`; empty if the run was interrupted before claims were decided."""
        return cast("list[dict[str, Any]]", self._read_whole(self.claims, "claims", damage) or [])

    def read_overlap(self, damage: list[str] | None = None) -> dict[str, Any] | None:
        """As `read_findings`; None if it was not measured."""
        return cast("dict[str, Any] | None", self._read_whole(self.overlap, "overlap", damage))

    def read_bench(self, damage: list[str] | None = None) -> dict[str, Any] | None:
        """As `read_overlap`."""
        return cast("dict[str, Any] | None", self._read_whole(self.bench, "bench", damage))

    def _read_whole(self, path: Path, kind: str, damage: list[str] | None) -> Any:
        if not path.exists():
            return None
        try:
            found = _parse(path, _read(path))
            self._validate([found], kind, path)
        except UsageError as error:
            if damage is None:
                raise
            damage.append(str(error))
            return None
        return found

    def _read_lines(self, path: Path, kind: str, damage: list[str] | None) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        *lines, rest = _read(path).split(b"\n")
        check = self._checks(kind)
        records, broken = [], []
        for number, line in enumerate(lines, 1):
            try:
                record = _parse(f"{path}, record {number}", line)
                check(record, number, path)
            except UsageError as error:
                if damage is None:
                    raise
                broken.append(error)
            else:
                records.append(record)
        if damage is not None:
            if broken:
                left_out = "1 line is" if len(broken) == 1 else f"{len(broken)} lines are"
                damage.append(f"{broken[0]}; {left_out} left out")
            if rest:
                damage.append(f"{path} ends in a line that was cut off")
        return records

    def _validate(self, records: Iterable[Any], kind: str, path: Path) -> None:
        check = self._checks(kind)
        for number, record in enumerate(records, 1):
            check(record, number, path)

    def _checks(self, kind: str) -> Callable[[Any, int, Path], None]:
        """Of a record, with its number and file. Raises UsageError: it does not follow the schema."""
        if self.written_here:
            return lambda *_: None
        validator = jsonschema.Draft202012Validator(schema(kind))

        def check(record: Any, number: int, path: Path) -> None:
            problem = jsonschema.exceptions.best_match(validator.iter_errors(record))
            if problem is not None:
                raise UsageError(f"{path}, record {number}, at {problem.json_path}: {problem.message}")

        return check

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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _parse(what: Path | str, text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {what}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {error}") from error
