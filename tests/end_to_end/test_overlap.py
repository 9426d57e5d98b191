"""`epoch-harness bench` of what validates beside training."""

import json
from pathlib import Path

import jsonschema

from harness import catalog as catalogs
from harness.bench.overlap import Request, execute
from harness.bench.overlap_results import FLOOR, PERSISTENT, REFERENCE
from harness.bench.overlap_table import write
from harness.report.overlap import remarks
from harness.schemas import schema

SCENARIOS = str(Path(__file__).with_name("overlap_scenarios.py"))
SPOILS, RAISES = "parallel_validation/spoils/control", "parallel_validation/raises/control"
EPOCHS = 2


def test_trainings_are_measured_side_by_side(tmp_path):
    request = Request(
        (PERSISTENT, SCENARIOS), rounds=1, loads=("sleep", "real"), ratios=(0.5,), epochs=EPOCHS, train_s=0.05,
        long_epochs=0, weights=(1_000_000,),
    )  # fmt: skip
    lines: list[str] = []
    found = execute(catalogs.find(), request, lines.append)
    assert found.exit_code == 0, found.left_out
    write(found, tmp_path)
    written = json.loads((tmp_path / "overlap.json").read_text())
    jsonschema.validate(written, schema("overlap"))

    reasons = {each["scenario"]: each["reason"] for each in written["left_out"]}
    assert "it cannot" in reasons[RAISES]
    assert "weights differ in epoch 1" in reasons[SPOILS]
    assert [cell["load"] for cell in written["cells"]] == ["sleep", "real"]
    assert SPOILS in [row["scenario"] for row in written["cells"][0]["rows"]]
    assert SPOILS not in [row["scenario"] for row in written["cells"][1]["rows"]]
    for cell in written["cells"]:
        rows = {row["scenario"]: row for row in cell["rows"]}
        assert rows[PERSISTENT]["agreement"] == "bitwise"
        numbers = rows[PERSISTENT]["numbers"]
        assert numbers["workers"] == 1
        passes = numbers["timeline"]["validation"]
        assert [(each["epoch"], each["whole"]) for each in passes] == [(epoch, True) for epoch in range(EPOCHS)]
        assert len(numbers["timeline"]["train"]) == EPOCHS
    (hand_off,) = written["hand_offs"]
    assert [row["scenario"] for row in hand_off["rows"]] == [REFERENCE, FLOOR, PERSISTENT]
    memory = {each["scenario"]: each for each in written["memory"]}
    assert memory[REFERENCE]["workers"] == []
    assert memory[PERSISTENT]["workers"][0] > 2**20


def test_where_there_is_no_gpu_nothing_is_decided_on_one(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = execute(catalogs.find(), Request((PERSISTENT,), device="cuda"), [].append)
    assert found.exit_code == 3
    assert "no CUDA device" in found.left_out[PERSISTENT]
    assert remarks(found.to_json())[-1] == "nothing was measured, so nothing is decided"
