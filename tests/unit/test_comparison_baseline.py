"""What of a baseline can be held against a run in another Python."""

import pytest
from seen_trials import training, trial

from harness.comparison import baseline
from harness.comparison.compare import compare


@pytest.mark.parametrize(("other", "same"), [("3.11.9", True), ("3.12.7", False), ("3.1.7", False), ("4.11.7", False)])
def test_calls_are_counted_alike_in_one_minor_version_of_python(other, same):
    assert baseline.same_calls("3.11.7", other) == baseline.same_calls(other, "3.11.7") == same


@pytest.mark.parametrize(("counted", "told"), [({"python_calls": 2000, "held_bytes": 64}, []),
    ({"python_calls": 1000, "held_bytes": 65}, ["bytes that the module holds (train)"])])  # fmt: skip
def test_without_calls_only_bytes_are_counted(counted, told):
    now = trial(training().with_value(counted, f="counters"))
    assert [each.what for each in compare(trial(), baseline.without_calls(now))] == told
    assert [each.what for each in compare(baseline.without_calls(trial()), now)] == told
