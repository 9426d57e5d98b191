"""Partitions and schedules that Hypothesis draws, and what a trial on one of them must show.

Cases are drawn at random, and one that failed is kept in `.hypothesis/examples` and tried first the next time; so
no test here is derandomized, which would turn that off. Where the environment variable CI is set, Hypothesis
does derandomize, by a profile of its own. A trial takes a third of a second: hence no deadline, few examples, and
no phase in which Hypothesis varies a case that is small already, to explain it.
"""

from itertools import pairwise

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from harness.workloads.partitions import Cut, Partition
from harness.workloads.schedule import Limit, Schedule, limited
from harness.workloads.written_out import write

FEW = settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
)  # fmt: skip

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=5)
cuts = st.builds(Cut.into, sizes, st.none() | st.integers(0, 99))
partitions = st.builds(Partition, cuts, cuts)
seeds = st.integers(0, 2**32 - 1)


def limits(batches: int) -> st.SearchStrategy[Limit]:
    """At least one of so many batches, as a number of them or as a fraction that no rounding moves over a whole."""
    fractions = st.integers(1, batches).map(lambda taken: 1.0 if taken == batches else (taken + 0.5) / batches)
    return st.integers(1, batches) | fractions


@st.composite
def schedules(draw, batches: int, validation_batches: int) -> Schedule:
    """That a loop can follow over an epoch of so many batches, of which it trains and validates on some."""
    train_limit = draw(limits(batches))
    epochs = draw(st.integers(1, 4))
    return Schedule(
        epochs=epochs,
        accumulate=draw(st.integers(1, 4)),
        train_limit=train_limit,
        validation_limit=draw(limits(validation_batches)),
        validate_after=draw(limits(limited(batches, train_limit))),
        validate_every=draw(st.integers(1, epochs)),
    )


@st.composite
def scheduled(draw) -> str:
    """A partition and a schedule over it, written out."""
    partition = draw(partitions)
    train, validation = (sum(count for count, _ in cut.runs) for cut in (partition.train, partition.validation))
    return write(partition, draw(schedules(train, validation)))


def cuts_of(samples: int) -> st.SearchStrategy[Cut]:
    """All ways to cut so many samples into batches, in any order."""
    ends = st.sets(st.integers(1, samples - 1)).map(lambda inner: [0, *sorted(inner), samples])
    sizes = ends.map(lambda ends: [end - start for start, end in pairwise(ends)])
    return st.builds(Cut.into, sizes, st.integers(0, 99))


def holds(laboratory, on: str, seed: int = 0, prelude: str = "", ranks: int | None = None):
    """Run one trial; whatever is unexpected fails the test, with the command that replays it. Returns its findings."""
    tried = laboratory.run(on, prelude, seed, ranks=ranks)
    figures = [finding for finding in tried.findings if finding.checker == "aggregate"]
    assert figures, f"{on} has no figures; {replay(laboratory, on, seed, ranks)}"
    told = [f"{each.checker} {each.aggregate}: {each.verdict}: {each.message}" for each in tried.unexpected]
    assert not told, "\n".join([*told, replay(laboratory, on, seed, ranks)])
    return figures


def replay(laboratory, on: str, seed: int, ranks: int | None = None) -> str:
    return f"replay: {laboratory.command(on, seed, ranks)}"
