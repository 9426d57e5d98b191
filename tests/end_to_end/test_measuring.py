"""What is counted inside a trial's process: exactly what a module is known to do more than another."""

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness import scenario_files
from harness.bench.costs import MEMORY, Memory, growth
from harness.bench.measuring import Measured, Measurer
from harness.engine.local import LocalEngine
from harness.engine.trial import Trial
from harness.upgrade import timing
from harness.upgrade.sides import BASELINE, CANDIDATE, SIDES
from harness.upgrade.timing import NotTimedError, sampler

BATCHES = 6
NO_KERAS = [name for name in ("keras", "tensorflow") if find_spec(name) is None]
COSTLY = scenario_files.locator_of(Path(__file__).with_name("costly.py"))
EVERYTHING = ["python_calls", "operations", "host_syncs", "memory"]


@contextmanager
def measuring(framework, file, folder):
    locator = scenario_files.locator_of(Path(__file__).with_name(file))
    with LocalEngine(framework) as engine:
        measurer = Measurer(engine, folder, seed=0)

        def call(name, what, batches=BATCHES):
            trial = Trial(f"costly/{name}/migrated", locator, framework, "digits/even", "cpu", 0)
            (measured,) = measurer.measure([(trial, what, batches)])
            assert not measured.failure
            return measured

        yield call


@pytest.fixture(scope="module")
def measure(tmp_path_factory):
    with measuring("lightning", "costly.py", tmp_path_factory.mktemp("measured")) as call:
        yield call


@pytest.fixture(scope="module")
def measure_keras(tmp_path_factory):
    if NO_KERAS:
        pytest.skip(f"not installed: {', '.join(NO_KERAS)}")
    with measuring("keras", "costly_keras.py", tmp_path_factory.mktemp("measured")) as call:
        yield call


@pytest.fixture(scope="module")
def measure_loop(tmp_path_factory):
    with measuring("torch", "costly_loop.py", tmp_path_factory.mktemp("measured")) as call:
        yield call


def memory_of(measure, name, sizes=(5, 10, 20)):
    """Of epochs of several lengths."""
    found = [(batches, measure(name, "memory", batches).value) for batches in sizes]
    return [Memory(batches, value["peak"], value["retained"], 0) for batches, value in found]


@pytest.fixture(scope="module")
def memory(measure):
    return lambda name: memory_of(measure, name)


@pytest.mark.parametrize("what", EVERYTHING)
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


class Gone:
    """Gives no process."""

    def measure(self, requests):
        yield Measured(None, {}, "it is gone")


def test_processes_take_turns_until_each_has_been_timed_for_so_long(tmp_path):
    trial = Trial("costly/RunningSum/migrated", COSTLY, "lightning", "digits/even", "cpu", 0)
    with LocalEngine("lightning", jobs=2) as engine:
        both = {side: Measurer(engine, tmp_path, seed=0) for side in SIDES}
        found = sampler(both, tmp_path)(SIDES, trial)
        assert all(sum(seconds) * timing.BATCHES >= 0.5 for seconds in found.values())
        assert abs(len(found[BASELINE]) - len(found[CANDIDATE])) <= 1
        with pytest.raises(NotTimedError, match="could not be timed in the candidate: it is gone"):
            sampler({**both, CANDIDATE: Gone()}, tmp_path)(SIDES, trial)


def test_epochs_are_timed_for_as_long_as_is_said(measure):
    found = measure("RunningSum", "seconds").value["seconds_per_step"]
    assert sum(found) * BATCHES >= 0.5
    assert sum(found[:-1]) * BATCHES < 0.5


@pytest.mark.parametrize(
    ("name", "what"),
    [("Compiled", "python_calls"), ("Compiled", "operations"), ("Compiled", "host_syncs"), ("Kept", "memory")],
)
def test_two_processes_of_keras_count_the_same(measure_keras, name, what):
    first, second = (measure_keras(name, what).value for _ in range(2))
    assert first == second


def test_a_value_read_in_keras_is_one_host_sync_more(measure_keras):
    plain, planted = (steps(measure_keras, name, "host_syncs") for name in ("Plain", "Item"))
    assert len(plain) == BATCHES - 1
    assert [more - less for more, less in zip(planted, plain, strict=True)] == [1] * (BATCHES - 1)


def test_calls_in_a_step_of_keras_are_counted(measure_keras):
    plain, planted = (steps(measure_keras, name, "python_calls") for name in ("Plain", "ThreeCalls"))
    assert [more - less for more, less in zip(planted, plain, strict=True)] == [3] * (BATCHES - 1)


def test_an_operation_more_in_the_graph_of_keras_is_counted(measure_keras):
    (plain,), (planted,) = (steps(measure_keras, name, "operations") for name in ("Compiled", "Identity"))
    assert planted - plain == 1


def test_operations_in_a_function_that_the_graph_calls_are_counted(measure_keras):
    """The call; and in the function its argument, the operation and the result."""
    (plain,), (planted,) = (steps(measure_keras, name, "operations") for name in ("Compiled", "Called"))
    assert planted - plain > 2


def test_a_step_that_keras_runs_eagerly_has_no_graph(measure_keras):
    found = measure_keras("Plain", "operations").value
    assert (found["steps"], found["epoch"]) == ([], None)


def test_steps_that_keras_executes_at_once_have_equal_parts(measure_keras):
    one, two = (steps(measure_keras, name, "host_syncs") for name in ("Compiled", "TwoAtOnce"))
    assert len(two) == BATCHES / 2 - 1
    assert set(two) == {each / 2 for each in one}


def test_losses_that_a_keras_model_keeps_are_seen(measure_keras):
    found = memory_of(measure_keras, "Kept")
    assert growth(found, "live_bytes") == growth(found, "held_bytes") == 4
    assert growth(found, "held_values") == 1
    assert [each.retained["held_values"] for each in found] == [5, 10, 20]


def test_epochs_of_keras_are_timed_for_as_long_as_is_said(measure_keras):
    found = measure_keras("Compiled", "seconds").value["seconds_per_step"]
    assert sum(found) * BATCHES >= 0.5
    assert sum(found[:-1]) * BATCHES < 0.5


@pytest.mark.parametrize("what", EVERYTHING)
def test_two_processes_of_a_loop_count_the_same(measure_loop, what):
    first, second = (measure_loop("Kept", what).value for _ in range(2))
    assert first == second


def test_an_item_in_a_loop_is_one_host_sync_more(measure_loop):
    plain, planted = (steps(measure_loop, name, "host_syncs") for name in ("Loop", "WithItem"))
    assert len(plain) == BATCHES - 1
    assert [more - less for more, less in zip(planted, plain, strict=True)] == [1] * (BATCHES - 1)


def test_losses_that_a_loop_keeps_are_seen(measure_loop):
    found = memory_of(measure_loop, "Kept")
    assert growth(found, "live_bytes") == growth(found, "held_bytes") == 4


@pytest.mark.parametrize("what", EVERYTHING)
def test_validation_of_a_loop_is_not_measured(measure_loop, what):
    assert measure_loop("CostlyValidation", what).value == measure_loop("Loop", what).value


def test_epochs_of_a_loop_are_timed_for_as_long_as_is_said(measure_loop):
    found = measure_loop("Loop", "seconds").value["seconds_per_step"]
    assert sum(found) * BATCHES >= 0.5
    assert sum(found[:-1]) * BATCHES < 0.5
