"""What is recorded of Keras would have happened without recording, and stands in the history as the schema says."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest

from harness.schemas import schema

WITNESS = Path(__file__).with_name("keras_witness.py")
WITH_CALLBACKS = "epoch_end_reliability/basic_callback/as_documented"
MISSING = [name for name in ("keras", "tensorflow") if find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def witnessed():
    ran = subprocess.run([sys.executable, str(WITNESS)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


@pytest.mark.parametrize("observed", ["calls", "untrained", "weights", "optimizer", "random", "files"])
def test_training_is_the_same_with_and_without_recording(witnessed, observed):
    changed = {
        scenario: (runs["plain"][observed], runs["recorded"][observed])
        for scenario, runs in witnessed.items()
        if runs["plain"][observed] != runs["recorded"][observed]
    }
    assert changed == {}


def test_the_witness_sees_calls_and_weights(witnessed):
    seen = witnessed["strategies/keras_compiled/as_documented"]["plain"]
    assert {name for name, _, _ in seen["calls"]} == {"on_epoch_end", "on_train_batch_end", "on_test_batch_end"}
    assert seen["weights"] != seen["untrained"]
    assert witnessed[WITH_CALLBACKS]["plain"]["files"]["epochs.log"].startswith("1 ")


def operations(witnessed, scenario):
    return [json.loads(line) for line in witnessed[scenario]["history"].splitlines()]


def test_every_operation_follows_the_schema(witnessed):
    validator = jsonschema.Draft202012Validator(schema("operation"))
    problems = [
        f"{scenario}, {operation}: {problem.message}"
        for scenario in witnessed
        for operation in operations(witnessed, scenario)
        for problem in validator.iter_errors(operation)
    ]
    assert problems == []


def test_every_step_is_recorded_whatever_is_executed_at_once(witnessed):
    """Each begins and ends before the next, and callbacks are called once per execution."""
    found = operations(witnessed, "strategies/keras_steps_per_execution/as_documented")
    steps = [(each["type"], each["batch"]) for each in found if each["f"] == "batch" and each["stage"] == "train"]
    assert steps == [(type, batch) for _ in range(3) for batch in range(8) for type in ("invoke", "ok")]
    ends = [each["value"] for each in found if each["f"] == "on_train_batch_end"]
    assert ends == [3, 7] * 3


def test_hooks_that_callbacks_define_are_recorded_and_no_others(witnessed):
    found = operations(witnessed, WITH_CALLBACKS)
    (plan,) = (each["value"] for each in found if each["f"] == "plan")
    owners = {owner["name"]: owner for owner in plan["owners"]}
    assert owners["EpochLog"] == {"name": "EpochLog", "kind": "callback", "hooks": ["on_epoch_end"]}
    assert [owners[name]["kind"] for name in ("EarlyStopping", "ModelCheckpoint")] == ["monitor", "checkpoint"]
    hooks = [(each["f"], each["type"], each["epoch"]) for each in found if each["f"].startswith("EpochLog.")]
    assert hooks == [("EpochLog.on_epoch_end", type, epoch) for epoch in range(3) for type in ("invoke", "ok")]


def test_each_replica_records_its_share_of_a_batch(witnessed):
    found = operations(witnessed, "epoch_end_reliability/mirrored_strategy/as_documented")
    steps = [each for each in found if each["f"] == "batch" and each["type"] == "ok" and each["stage"] == "train"]
    shares = [(each["epoch"], each["batch"], each["rank"], len(each["value"]["ids"])) for each in steps]
    assert sorted(shares) == [(epoch, batch, rank, 8) for epoch in range(3) for batch in range(4) for rank in (0, 1)]
    assert len({id for each in steps for id in each["value"]["ids"]}) == 64


def test_outputs_in_bfloat16_are_recorded_as_that(laboratory):
    tried = laboratory.run("half/keras/control@digits/ragged")
    assert tried.unexpected == []
    assert {each.value["outputs"]["dtype"] for each in tried.history.select("batch", "ok")} == {"bfloat16"}
