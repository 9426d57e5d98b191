"""Small run directories, made by hand."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.findings import EpochVerdict, Finding
from harness.run_directory import SCHEMA_VERSION, RunDirectory

MANIFEST: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION,
    "harness_version": "0.1.0",
    "status": "complete",
    "started_at": "2026-01-01T00:00:00+00:00",
    "seconds": 1.5,
    "arguments": {
        "filters": [], "faults": ["*"], "device": "auto", "seed": 0, "jobs": 1, "limit_s": 60.0, "prelude": "",
    },
    "seed": 0,
    "machine": {"platform": "Linux", "processors": 2},
    "environment": {
        "python": "3.11.7",
        "executable": "/usr/bin/python",
        "packages": {"torch": "2.6.0"},
        "framework": "lightning",
        "module": "pytorch_lightning",
        "unavailable": "",
        "cuda": {"available": False, "reason": "torch is built without CUDA", "device": "", "count": 0},
    },
    "unavailable": [
        {"scenario": "a/b/migrated", "workload": "*", "device": "cpu", "reason": "does not import", "fault": "none"}
    ],
    "counts": {"trials": 1, "unavailable": 1, "findings": 1, "unexpected": 0, "verdicts": {"exact": 1}},
}  # fmt: skip


def make_finding(**changes: Any) -> Finding:
    """A figure that is exact, or whatever is asked for."""
    finding = Finding(
        trial="",
        scenario="averaging/manual/migrated",
        workload="digits/even",
        fault="none",
        placement="cpu,ranks=1,float32",
        checker="aggregate",
        aggregate="val_loss",
        verdict="exact",
        expected_verdict="exact",
        as_expected=True,
        epoch=0,
        observed=0.5,
        truth=0.5,
        prediction=0.5,
        bound=0.01,
        evidence=(1,),
    )
    finding = replace(finding, **changes)
    deciding = EpochVerdict(
        finding.epoch or 0, finding.verdict, finding.observed, finding.truth, finding.prediction, finding.bound, (1,)
    )
    parts = (finding.scenario, finding.workload, finding.fault, "cpu")
    return replace(
        finding,
        trial=changes.get("trial", "--".join(part.replace("/", ".") for part in parts)),
        as_expected=changes.get("as_expected", finding.verdict == finding.expected_verdict),
        per_epoch=changes.get("per_epoch", (deciding,) if finding.checker == "aggregate" else ()),
    )


@pytest.fixture
def finding() -> Callable[..., Finding]:
    return make_finding


@pytest.fixture
def manifest() -> dict[str, Any]:
    """Of a complete run."""
    return dict(MANIFEST)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunDirectory]:
    """A run directory below `tmp_path`, with whatever was found, and empty histories; keywords change its manifest."""

    def make(
        findings: Sequence[Finding], *, name: str = "run", claims: Sequence[dict[str, Any]] = (), **changes: Any
    ) -> RunDirectory:
        directory = RunDirectory.create(tmp_path / name)
        counts = MANIFEST["counts"] | {"findings": len(findings)}
        directory.replace_json(directory.manifest, MANIFEST | {"counts": counts} | changes)
        directory.timings.touch()
        directory.replace_json(directory.claims, list(claims))
        for found in findings:
            directory.append(directory.findings, found.to_json())
            with suppress(OSError, ValueError):  # a hostile name is no file's
                directory.history(found.trial).touch()
        return directory

    return make
