"""What is counted inside a trial's process: exactly what a module is known to do more than another."""

from pathlib import Path

import pytest

from harness import scenario_files
from harness.bench.costs import MEMORY, Memory, growth
from harness.bench.measuring import Measurer
from harness.engine.local import LocalEngine
from harness.engine.trial import Trial

COSTLY = scenario_files.locator_of(Path(__file__).with_name("costly.py"))
BATCHES = 6


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    with LocalEngine("lightning") as engine:
        measurer = Measurer(engine, tmp_path_factory.mktemp("measured"), seed=0)

        def call(name, what, batches=BATCHES):
            trial = Trial(f"costly/{name}/migrated", COSTLY, "lightning", "digits/even", "cpu", 0)
            (measured,) = measurer.measure([(trial, what, batches)])
            assert not measured.failure
            return measured

        yield call


@pytest.fixture(scope="module")
def memory(measure):
    """Of epochs of three lengths."""

    def call(name):
        found = [(batches, measure(name, "memory", batches).value) for batches in (5, 10, 20)]
        return [Memory(batches, value["peak"], value["retained"], 0) for batches, value in found]

    return call


@pytest.mark.parametrize("what", ["python_calls", "operations", "host_syncs", "memory"])
def test_two_processes_count_the_same(measure, what):
    first = measure("KeptLosses", what).value
    assert first == measure("KeptLosses", what).value
    assert any(first.values())


def steps(measure, name, what):
    return measure(name, what).value["steps"]


def test_an_item_in_a_step_is_one_host_sync_more(measure):
    plain, planted = (steps(measure, name, "host_syncs") for name in ("RunningSum", "RunningSumWithItem"))
    assert len(plain) == BATCHES - 1
    assert [more - less for more, less in zip(planted, plain, strict=True)] == [1] * (BATCHES - 1)


def test_an_item_in_a_step_is_one_operation_more(measure):
    plain, planted = (steps(measure, name, "operations") for name in ("RunningSum", "RunningSumWithItem"))
    assert [more - less for more, less in zip(planted, plain, strict=True)] == [1] * (BATCHES - 1)


def test_calls_between_two_steps_are_counted(measure):
    """The hook itself replaces Lightning's own, which is called too."""
    plain, planted = (steps(measure, name, "python_calls") for name in ("RunningSum", "RunningSumWithThreeCalls"))
    assert [more - less for more, less in zip(planted, plain, strict=True)] == [3] * (BATCHES - 1)


def test_an_epoch_is_more_than_its_steps(measure):
    found = measure("RunningSum", "python_calls").value
    assert found["epoch"] > sum(found["steps"])


def test_a_running_sum_takes_the_same_however_many_batches(memory):
    found = memory("RunningSum")
    assert {name: growth(found, name) for name in MEMORY} == dict.fromkeys(MEMORY, 0)


def test_kept_losses_grow_by_one_number_a_batch(memory):
    found = memory("KeptLosses")
    assert growth(found, "live_bytes") == growth(found, "held_bytes") == 4
    assert growth(found, "held_values") == 1


def test_graphs_that_kept_losses_hold_on_to_are_seen(memory):
    found = memory("KeptGraphs")
    assert growth(found, "held_bytes") == 4
    # At least the batch and the hidden layer's outputs, of 64 and 32 features, in float32.
    assert growth(found, "live_bytes") >= 32 * (64 + 32) * 4


def test_kept_python_numbers_are_seen(memory):
    found = memory("KeptNumbers")
    assert growth(found, "live_bytes") == 0
    assert growth(found, "held_values") == 1


def test_what_is_let_go_at_the_end_of_the_epoch_is_not_retained(memory):
    assert [each.retained["held_bytes"] for each in memory("KeptLosses")] == [0, 0, 0]


def test_what_is_never_let_go_is_retained(memory):
    found = memory("NeverFreed")
    assert [each.retained["held_bytes"] for each in found] == [4 * each.batches for each in found]
    assert [each.retained["live_bytes"] for each in found] == [4 * each.batches for each in found]


def test_epochs_are_timed_for_as_long_as_is_said(measure):
    found = measure("RunningSum", "seconds").value["seconds_per_step"]
    assert sum(found) * BATCHES >= 0.5
    assert sum(found[:-1]) * BATCHES < 0.5
