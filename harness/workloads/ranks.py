"""Workloads that ranks share in every way there is, one idea each: made for one rank, for two, and for three.

All train on as many batches on every rank: DDP adds gradients up in every step, and would wait forever for a rank that
has none left.
"""

from harness.workloads.recipe import Recipe
from harness.workloads.schedule import Schedule
from harness.workloads.sharing import ALL, DEALT, PADDED


def _shared(partition: str, sharing: str = DEALT) -> Recipe:
    return Recipe("digits", partition, schedule=Schedule(epochs=2), sharing=sharing)


RANKS = {
    "even": _shared("train=6x8,validation=6x8"),
    # Of two ranks the second has the smaller batch, of three the third.
    "ragged": _shared("train=6x8,validation=5x8+3"),
    "more_on_some": _shared("train=6x8,validation=7x8"),
    "none_on_some": _shared("train=6x8,validation=8"),
    # 41 and 25 samples, which neither two nor three ranks share evenly.
    "padded": _shared("train=5x8+1,validation=3x8+1", PADDED),
    "padded_by_nothing": _shared("train=6x8,validation=3x8", PADDED),
    "padded_by_more_than_there_is": _shared("train=6x8,validation=1", PADDED),
    "all_on_every": _shared("train=3x8,validation=2x8+5", ALL),
}
