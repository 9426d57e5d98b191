import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from harness import run_directory
from harness.errors import UsageError
from harness.findings import GRAVITY, EpochVerdict, Finding
from harness.history.encoding import encode_array
from harness.history.recorder import Recorder
from harness.run_directory import SCHEMA_VERSION, RunDirectory
from harness.scenario import CELL_VERDICTS, CLAIM_VERDICTS
from harness.schemas import schema

KINDS = (
    "manifest", "finding", "operation", "timing", "claims", "bench", "comparison", "baseline", "accepted",
    "upgrade_cost",
)  # fmt: skip

FINDING = Finding(
    trial="a.b.migrated--digits.even--none--cpu",
    scenario="a/b/migrated",
    workload="digits/even",
    fault="none",
    placement="cpu,ranks=1,float32",
    checker="aggregate",
    aggregate="val_loss",
    verdict="exact",
    expected_verdict="exact",
    as_expected=True,
    epoch=0,
    observed=float("nan"),
    truth=float("inf"),
    prediction=float("-inf"),
    bound=0.25,
    evidence=(1, 2),
    per_epoch=(EpochVerdict(0, "exact", 0.5, 0.5, 0.5, 0.25, (1,), "why"),),
)
TIMING: dict[str, Any] = {
    "scenario": FINDING.scenario,
    "trial": FINDING.trial,
    "environment": "Python 3.11.7",
    "samples": [0.5],
    "counters": {"batches": 3},
    "peak_rss_bytes": None,
}
CLAIM: dict[str, Any] = {
    "claim": "001.mean",
    "statement": "It is the mean.",
    "source": "document 001",
    "verdict": "holds in part",
    "expected_verdict": "holds in part",
    "as_expected": True,
    "conditions": [
        {
            "asked": "* (aggregate) of a/b/* on * is exact",
            "numbers": {
                "verdicts": {"exact": 1, "biased": 1},
                "largest_bias": "Infinity",
                "digits/even": "96 against 9160",
            },
            "met_on": ["digits/even"],
            "not_met_on": ["digits/ragged"],
            "trials": [FINDING.trial],
        }
    ],
}


@pytest.fixture
def run(make_run: Callable[..., RunDirectory]) -> RunDirectory:
    directory = make_run([FINDING], claims=[CLAIM])
    directory.append(directory.timings, TIMING)
    return directory


def history_lines(path: Path) -> list[dict[str, Any]]:
    recorder = Recorder(path)
    recorder.write("trial", "invoke", {"scenario": "a/b/migrated"})
    recorder.write("batch", "invoke", stage="train", epoch=0, step=0, batch=0)
    outputs = json.loads(encode_array(np.zeros((2, 3), dtype=np.float32)))
    recorder.write("batch", "ok", {"ids": (0, 1), "outputs": outputs}, stage="train", epoch=0, step=0, batch=0)
    recorder.write("logger", "ok", {"step": 0, "epoch": 0, "metrics": {"loss": "NaN"}}, stage="train", epoch=0, step=1)
    recorder.write("trial", "fail", {"exception": "ValueError", "message": "", "where": ""})
    end = {
        "status": 1,
        "timed_out": False,
        "limit_s": 60.0,
        "where": "",
        "peak_rss_bytes": None,
        "left_behind": 0,
        "leftovers": [],
    }
    recorder.write("exit", "info", end)
    recorder.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def invalid(kind: str, record: Any) -> bool:
    return not jsonschema.Draft202012Validator(schema(kind)).is_valid(record)


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_schemas(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))


def test_schemas_name_the_verdicts_that_there_are() -> None:
    assert schema("finding")["$defs"]["verdict"]["enum"] == [*GRAVITY, *CELL_VERDICTS]
    assert schema("claims")["$defs"]["verdict"]["enum"] == list(CLAIM_VERDICTS)


def test_what_was_written_is_read_back(run: RunDirectory, manifest: dict[str, Any]) -> None:
    again = RunDirectory.open(run.path)
    assert again.read_manifest() == manifest
    assert [finding.to_json() for finding in again.read_findings()] == [FINDING.to_json()]
    assert again.read_timings() == [TIMING]
    assert again.read_claims() == [CLAIM]


def test_recorded_operations_follow_their_schema(tmp_path: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema("operation"))
    for operation in history_lines(tmp_path / "history.jsonl"):
        validator.validate(operation)


@pytest.mark.parametrize(
    "change",
    [{"type": "done"}, {"stage": "training"}, {"epoch": -1}, {"extra": 1}, {"value": {"ids": [0]}}, {"t_ns": 0.5}],
    ids=repr,
)
def test_broken_operations_are_rejected(tmp_path: Path, change: dict[str, Any]) -> None:
    batch = next(line for line in history_lines(tmp_path / "h.jsonl") if (line["f"], line["type"]) == ("batch", "ok"))
    assert invalid("operation", batch | change)


@pytest.mark.parametrize("key", FINDING.to_json())
def test_a_finding_needs_every_key(key: str) -> None:
    record = FINDING.to_json()
    del record[key]
    assert invalid("finding", record)


@pytest.mark.parametrize("key", FINDING.to_json()["per_epoch"][0])
def test_a_verdict_on_an_epoch_needs_every_key(key: str) -> None:
    record = FINDING.to_json()
    del record["per_epoch"][0][key]
    assert invalid("finding", record)


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("finding", FINDING.to_json() | {"verdict": "fine"}),
        ("finding", FINDING.to_json() | {"observed": "nan"}),
        ("finding", FINDING.to_json() | {"evidence": [0]}),
        ("finding", FINDING.to_json() | {"scenario": "a/b"}),
        ("finding", FINDING.to_json() | {"trial": "../manifest"}),
        ("finding", FINDING.to_json() | {"per_epoch": [{"epoch": 0}]}),
        ("timing", TIMING | {"samples": [-1.0]}),
        ("timing", TIMING | {"counters": {"batches": 0.5}}),
        ("timing", TIMING | {"extra": 1}),
        ("claims", [CLAIM | {"verdict": "exact"}]),
        ("claims", [CLAIM | {"conditions": []}]),
        ("claims", CLAIM),
    ],
)
def test_broken_records_are_rejected(kind: str, record: Any) -> None:
    assert invalid(kind, record)


@pytest.mark.parametrize("change", [{"status": "done"}, {"counts": {"trials": 1}}, {"environment": {}}, {"extra": 1}])
def test_broken_manifests_are_rejected(manifest: dict[str, Any], change: dict[str, Any]) -> None:
    assert not invalid("manifest", manifest)
    assert invalid("manifest", manifest | change)


def test_a_run_that_was_killed_early_is_still_one(run: RunDirectory, manifest: dict[str, Any]) -> None:
    run.replace_json(run.manifest, manifest | {"status": "running", "environment": {}, "counts": {}})
    for path in (run.findings, run.timings, run.claims):
        path.unlink()
    again = RunDirectory.open(run.path)
    assert (again.read_findings(), again.read_timings(), again.read_claims()) == ([], [], [])


def test_a_run_is_not_made_over_something_else(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an empty folder"):
        RunDirectory.create(run.path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not an empty folder"):
        RunDirectory.create(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot make the run directory"):
        RunDirectory.create(tmp_path / "file" / "run")


def test_of_two_that_make_a_run_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, exists = tmp_path / "run", Path.exists

    def just_before(other: Path) -> bool:
        there = exists(other)
        if other == path:
            (path / "histories").mkdir(parents=True)
        return there

    monkeypatch.setattr(Path, "exists", just_before)
    with pytest.raises(UsageError, match="is another run's by now"):
        RunDirectory.create(path)


def test_foreign_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        RunDirectory.open(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"holds no manifest\.json"):
        RunDirectory.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": SCHEMA_VERSION - 1}, f"schema version {SCHEMA_VERSION - 1}; .* run it again"),
        ({"seconds": "long"}, r"record 1, at \$\.seconds"),
    ],
)
def test_older_and_broken_manifests_are_refused(
    run: RunDirectory, manifest: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    run.replace_json(run.manifest, manifest | change)
    with pytest.raises(UsageError, match=message):
        RunDirectory.open(run.path)


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[]", "is not the manifest of a run")])
def test_foreign_manifests_are_refused(run: RunDirectory, text: str, message: str) -> None:
    run.manifest.write_text(text)
    with pytest.raises(UsageError, match=message):
        RunDirectory.open(run.path)


def test_a_manifest_that_is_not_text_is_refused(run: RunDirectory) -> None:
    run.manifest.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot read"):
        RunDirectory.open(run.path)


def test_a_cut_off_last_line_is_dropped(run: RunDirectory) -> None:
    whole = run.findings.read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        run.findings.write_bytes(whole + whole[:cut])
        assert len(run.read_findings()) == 1


def test_a_malformed_line_in_the_middle_is_not(run: RunDirectory) -> None:
    run.findings.write_text('{"trial": "cut\n' + run.findings.read_text())
    with pytest.raises(UsageError, match="is not JSON"):
        run.read_findings()


def test_the_record_that_breaks_the_schema_is_named(run: RunDirectory) -> None:
    run.append(run.findings, FINDING.to_json() | {"verdict": "fine"})
    with pytest.raises(UsageError, match=r"findings\.jsonl, record 2, at \$\.verdict"):
        RunDirectory.open(run.path).read_findings()


def test_any_message_can_be_appended(run: RunDirectory) -> None:
    message = "line\nline \u2028 \ud800 \x00 ä"
    run.append(run.findings, FINDING.to_json() | {"message": message})
    assert run.read_findings()[-1].message == message


def test_numbers_that_json_cannot_hold_are_refused(run: RunDirectory) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.append(run.timings, TIMING | {"samples": [float("nan")]})
    assert run.read_timings() == [TIMING]


def test_replacing_keeps_the_old_file_if_writing_fails(
    run: RunDirectory, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_directory.os, "replace", full)
    before = sorted(run.path.iterdir())
    with pytest.raises(OSError, match="No space left"):
        run.replace_json(run.manifest, {})
    assert run.read_manifest() == manifest
    assert sorted(run.path.iterdir()) == before
