"""A copy of a module or a Trainer that is recorded, and a process forked from its trial, do what they do unrecorded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WITNESS = Path(__file__).with_name("copies_witness.py")


@pytest.fixture(scope="module")
def witnessed():
    ran = subprocess.run([sys.executable, str(WITNESS)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


def test_copies_and_forks_add_nothing_to_the_history(witnessed):
    assert witnessed["plain"]
    assert witnessed["used"] == witnessed["plain"]


def test_copies_of_a_trainer_train(witnessed):
    assert witnessed["trained"] == [15, 15]


@pytest.mark.parametrize("what", ["deep copy", "pickled"])
def test_a_copy_gives_what_the_module_gives(witnessed, what):
    assert [figure for copy, figure, _ in witnessed["copies"] if copy == what] == witnessed["figures"]


def test_nothing_of_the_recording_is_pickled(witnessed):
    assert [overridden for copy, _, overridden in witnessed["copies"] if copy == "pickled"] == [[], [], []]


def test_a_fork_goes_on_to_its_end(witnessed):
    assert [status for copy, status, _ in witnessed["copies"] if copy == "fork"] == [0, 0, 0]
