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
MISSING = [name for name in ("keras", "tensorflow") if find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def witnessed():
    ran = subprocess.run([sys.executable, str(WITNESS)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


@pytest.mark.parametrize("observed", ["calls", "untrained", "weights", "optimizer", "random"])
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
    assert steps == [(type, batch) for _ in range(5) for batch in range(8) for type in ("invoke", "ok")]
    ends = [each["value"] for each in found if each["f"] == "on_train_batch_end"]
    assert ends == [3, 7] * 5
