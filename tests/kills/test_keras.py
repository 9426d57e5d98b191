"""Keras trainings killed at drawn moments and resumed: every epoch has one record, with the figures it would have
had; and callbacks that do not hold that are found out."""

import pytest
from holding import CAUGHT, every_epoch_once, is_found_out
from trainings import Trainings


@pytest.fixture(scope="module")
def reliable(attempts_in_keras, tmp_path_factory):
    return Trainings(attempts_in_keras, "reliable", tmp_path_factory.mktemp("reliable"))


def test_killed_anywhere(reliable):
    assert every_epoch_once(reliable, examples=3) >= 6


# The others differ in the file, or in the order of hooks, and are left to the faster framework.
@pytest.mark.parametrize("planted", ["CheckpointInPlace", "AfterTheCheckpoint"])
def test_an_unreliable_one_is_found_out(planted, attempts_in_keras, reliable, tmp_path):
    assert is_found_out(Trainings(attempts_in_keras, planted, tmp_path, reliable.reference), CAUGHT[planted])
