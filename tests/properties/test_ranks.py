"""What is recommended for ranks is exact however many share an epoch, whatever the number of samples, and however they
are shared."""

from drawn import FEW, cuts, holds, replay, seeds
from hypothesis import given
from hypothesis import strategies as st

from harness.workloads.partitions import Cut, Partition
from harness.workloads.schedule import Schedule
from harness.workloads.written_out import write

RECOMMENDED = "ranks/one_all_reduce/recommended"
OF_KERAS = "ranks/keras_own_step/recommended"
MOST_SAMPLES, MOST_RANKS = 33, 3

counts, sizes, ranks = st.integers(1, MOST_SAMPLES), st.integers(1, 8), st.integers(1, MOST_RANKS)


def in_batches(samples: int, size: int) -> Cut:
    """As a DataLoader makes them: of one size, and one of what is left over."""
    full, rest = divmod(samples, size)
    return Cut.into([size] * full + [rest] * (rest > 0))


def exact(laboratory, workload, seed, number, scenario=RECOMMENDED):
    on = f"{scenario}@digits/{workload}"
    figures = holds(laboratory, on, seed, ranks=number)
    assert {figure.verdict for figure in figures} == {"exact"}, replay(laboratory, on, seed, number)


@given(
    train=counts, validation=counts, size=sizes, sharing=st.sampled_from(["padded", "all"]), number=ranks, seed=seeds
)
@FEW
def test_on_samples_that_a_sampler_deals(laboratory, train, validation, size, sharing, number, seed):
    partition = Partition(in_batches(train, size), in_batches(validation, size))
    exact(laboratory, write(partition, Schedule(epochs=2), sharing), seed, number)


@given(size=sizes, steps=st.integers(1, 3), validation=cuts, number=ranks, seed=seeds)
@FEW
def test_on_batches_that_are_dealt(laboratory, size, steps, validation, number, seed):
    """Validation may leave a rank with fewer batches than another; at least one each, as the command line has it."""
    batches = sum(count for count, _ in validation.runs)
    number = min(number, batches)
    partition = Partition(Cut.into([size] * steps * number), validation)
    exact(laboratory, write(partition, Schedule(epochs=2)), seed, number)


@given(
    parts=st.integers(1, 4),
    train=st.lists(counts, max_size=3),
    validation=st.lists(counts, max_size=3),
    number=ranks,
    seed=seeds,
)
@FEW
def test_on_replicas_of_keras(laboratory, parts, train, validation, number, seed):
    """Whose first batch has to be of as many samples on each; what follows may leave some of them without any."""
    first = parts * number
    partition = Partition(Cut.into([first, *train]), Cut.into([first, *validation]))
    exact(laboratory, write(partition, Schedule(epochs=2)), seed, number, OF_KERAS)


def test_it_takes_one_all_reduce_an_epoch(laboratory):
    """Lightning broadcasts once a step, from 2.6 on, whether SIGTERM came; the figures take nothing but that one."""
    tried = laboratory.run(f"{RECOMMENDED}@ranks/padded", ranks=MOST_RANKS)
    counted = list(tried.history.select("collectives"))
    assert {(each.rank, each.epoch) for each in counted} == {(rank, epoch) for rank in range(3) for epoch in range(2)}
    for each in counted:
        assert each.value["in_steps"] == {}
        assert each.value["besides"].keys() <= {"all_reduce", "broadcast"}
        assert each.value["besides"]["all_reduce"] == 1
