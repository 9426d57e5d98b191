"""`epoch-harness bench` as a user runs it."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest

from harness.bench import strategies
from harness.bench.strategies import LOGGED
from harness.schemas import schema

BARE = strategies.BARE["lightning"]
SCENARIOS = Path(__file__).with_name("not_comparable.py")


def read(folder):
    written = json.loads((folder / "bench.json").read_text())
    jsonschema.validate(written, schema("bench"))
    return written


@pytest.mark.slow
def test_what_agrees_is_measured_and_the_rest_is_left_out_with_the_reason(epoch_harness, tmp_path):
    ran = epoch_harness("bench", SCENARIOS, "--batches", "8", "--rounds", "1", "--out", tmp_path / "out")
    assert ran.code == 0, ran.out + ran.err
    written = read(tmp_path / "out")
    costs = {each["scenario"]: each for each in written["costs"]}
    assert list(costs) == [BARE, LOGGED, "some/KeptLosses/migrated"]
    assert all(len(each["time"]["pairs"]) == 1 and not each["unstable"] for each in costs.values())
    assert costs["some/KeptLosses/migrated"]["peak_growth_per_batch"]["live_bytes"] == 4
    assert costs[BARE]["counters_over_bare"]["python_calls"] == {"median_step": 0, "common_step": 0, "epoch": 0}
    reasons = {each["scenario"].split("/")[1]: each["reason"] for each in written["left_out"]}
    assert reasons.keys() == {"Forgotten", "OtherData", "ValidationOnly", "Wider"}
    assert "never_logged is missing" in reasons["Forgotten"]
    assert "digits" in reasons["OtherData"]
    assert "nothing in training" in reasons["ValidationOnly"]
    assert "another network" in reasons["Wider"]
    for reason in reasons.values():
        assert reason in ran.out
    assert "+4 bytes a batch" in (tmp_path / "out" / "bench.md").read_text()


@pytest.mark.slow
def test_without_tensorflow_loops_are_measured_and_keras_is_left_out_with_the_reason(epoch_harness, tmp_path):
    (tmp_path / "fake" / "tensorflow").mkdir(parents=True)
    missing = "raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')\n"
    (tmp_path / "fake" / "tensorflow" / "__init__.py").write_text(missing)
    asked = ["strategies/keras_compiled/as_documented", "strategies/plain_loop/control@digits/even"]
    ran = epoch_harness(
        "bench", *asked, "--batches", "4", "--rounds", "1", "--limit", "50", "--out", tmp_path / "out",
        env={"PYTHONPATH": str(tmp_path / "fake")},
    )  # fmt: skip
    assert ran.code == 0, ran.out + ran.err
    written = read(tmp_path / "out")
    assert [each["scenario"] for each in written["costs"]] == [
        strategies.BARE["torch"],
        "strategies/plain_loop/control",
    ]
    assert all(len(each["time"]["pairs"]) == 1 and not each["unstable"] for each in written["costs"])
    (left_out,) = written["left_out"]
    assert left_out["scenario"] == asked[0]
    assert "No module named 'tensorflow'" in left_out["reason"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_keras_is_measured_over_its_own_bare_loop(epoch_harness, tmp_path):
    asked = "strategies/keras_compiled/as_documented@digits/even"
    ran = epoch_harness("bench", asked, "--batches", "4", "--rounds", "1", "--out", tmp_path)
    assert ran.code == 0, ran.out + ran.err
    bare, compiled = read(tmp_path)["costs"]
    assert (bare["scenario"], compiled["bare"]) == (strategies.BARE["keras"],) * 2
    assert not bare["unstable"] + compiled["unstable"]
    # Its loss and, more than the bare loop, its accuracy are read after every step.
    assert compiled["counters_over_bare"]["host_syncs"]["common_step"] == 1
    assert compiled["counters_over_bare"]["operations"]["common_step"] > 0
    assert compiled["time"]["pairs"]


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured(tmp_path):
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "harness",
            "bench",
            LOGGED,
            "--batches",
            "8",
            "--rounds",
            "99",
            "--out",
            tmp_path / "out",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # Where tests run in the background, SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        output = ""
        for line in running.stdout:
            # An interrupted rich prints the line again.
            if line.startswith("timing: round 2 ") and "timing: round 2 " not in output:
                running.send_signal(signal.SIGINT)
            output += line
    assert running.returncode == 3, output
    assert "this was measured by then" in output
    written = read(tmp_path / "out")
    assert written["status"] == "interrupted"
    assert [each["scenario"] for each in written["costs"]] == [BARE, LOGGED]
    assert all(each["time"]["pairs"] for each in written["costs"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["epoch_avergaing/*"], "did you mean"),
        (["strategies/*@iris"], "the workloads are"),
        (["strategies/*", "--rounds", "few"], "--rounds"),
        (["strategies/*", "--out", __file__], "name another folder with --out"),
    ],
)
def test_bad_usage(refused, tmp_path, arguments, told):
    ran = refused("bench", *arguments, cwd=tmp_path)
    assert told in ran.err


def test_without_anything_comparable_nothing_is_decided(epoch_harness, tmp_path):
    ran = epoch_harness("bench", "epoch_averaging/sync_dist/*", "--device", "cuda", "--out", tmp_path)
    assert ran.code == 3
    assert "nothing was measured" in ran.out
    assert read(tmp_path)["left_out"]
