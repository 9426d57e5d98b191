"""What is recorded would have happened without recording: same hooks, weights, random draws and figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WITNESS = Path(__file__).with_name("recording_witness.py")


@pytest.fixture(scope="module")
def witnessed():
    ran = subprocess.run([sys.executable, str(WITNESS)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


OBSERVED = ["error", "hooks", "weights", "random", "metrics", "warnings", "signatures", "files"]


@pytest.mark.parametrize("observed", OBSERVED)
def test_training_is_the_same_with_and_without_recording(witnessed, observed):
    changed = {
        scenario: (runs["plain"][observed], runs["recorded"][observed])
        for scenario, runs in witnessed.items()
        if runs["plain"][observed] != runs["recorded"][observed]
    }
    assert changed == {}


def test_the_witness_sees_hooks_and_weights(witnessed):
    seen = witnessed["epoch_end_hooks/basic_metric/migrated"]["plain"]
    assert ["on_validation_epoch_end", True] in seen["hooks"]
    assert seen["error"] == ""
    assert len({runs["plain"]["weights"] for runs in witnessed.values()}) > 1


def test_the_witness_sees_hooks_of_callbacks_and_their_checkpoints(witnessed):
    seen = witnessed["epoch_end_reliability/lightning_hooks/as_documented"]["plain"]
    last = 2
    for hook in ("EpochLog", "EarlyStopping", "ModelCheckpoint"):
        assert [f"{hook}.on_train_epoch_end", last] in seen["hooks"]
    assert len([path for path in seen["files"] if path.endswith(".ckpt")]) == last + 1


def test_the_witness_sees_warnings_and_signatures(witnessed):
    seen = witnessed["epoch_end_reliability/lightning_hooks/as_documented"]["plain"]
    assert [each.split(":")[0] for each in seen["signatures"]] == [*["(model"] * 4, "(filepath"]
    assert any(runs["plain"]["warnings"] for runs in witnessed.values())
