"""What is held of trainings in each framework."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trainings import ANYWHERE, PARTS, Moment, Trainings, moments

MOMENTS = st.builds(
    Moment, st.integers(0, PARTS - 1) | st.integers(0, PARTS // 6), st.none() | st.sampled_from(ANYWHERE)
)
# What each planted callback is caught at.
CAUGHT = {
    "NotAtomic": "damaged",
    "CheckpointInPlace": "damaged",
    "AppendsBlindly": "doubled",
    "KeepsAll": "premature",
    "AtTheStart": "premature",
    "AfterTheCheckpoint": "lost",
}


def every_epoch_once(trainings: Trainings, examples: int) -> int:
    """Kill that many trainings, at moments that Hypothesis draws; how often they were killed in all."""
    killed = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(moments=st.lists(MOMENTS, min_size=2, max_size=4))
    def hold(moments: list[Moment]) -> None:
        killed.append(trainings.killed(moments))
        assert not killed[-1].found
        left = [name for name in killed[-1].made[-1].files if not name.startswith("tmp/")]
        assert left == trainings.whole.files

    hold()
    return sum(training.kills for training in killed)


def is_found_out(trainings: Trainings, fault: str) -> bool:
    """Whether this fault is found in one of forty trainings that are killed."""
    generator = random.Random(0)
    return any(vars(trainings.killed(moments(generator, ANYWHERE)).found)[fault] for _ in range(40))
