"""How ranks share an epoch: which batches of a loader each of them goes over. Standard library only.

`dealt`: batch k goes to rank k modulo their number, so that a rank may have fewer than another, or none.
`padded`: what Lightning does by default (`use_distributed_sampler=True`): samples are dealt one by one, and the first
are given out once more until all ranks have as many (`torch/utils/data/distributed.py`, `DistributedSampler.__iter__`).
`all`: every rank goes over everything, which is what comes of `use_distributed_sampler=False` and nothing in its place.
"""

from itertools import cycle, islice

DEALT, PADDED, ALL = "dealt", "padded", "all"
SHARINGS = (DEALT, PADDED, ALL)

Batches = tuple[tuple[int, ...], ...]


def share(batches: Batches, sharing: str, rank: int, ranks: int) -> Batches:
    """The batches of one rank, each a tuple of sample ids."""
    if ranks == 1 or sharing == ALL or not batches:
        return batches
    if sharing == DEALT:
        return batches[rank::ranks]
    samples = [sample for batch in batches for sample in batch]
    given_out = -(-len(samples) // ranks) * ranks
    own = tuple(islice(cycle(samples), rank, given_out, ranks))
    size = len(batches[0])
    return tuple(own[start : start + size] for start in range(0, len(own), size))


def is_drawn(sharing: str, stage: str, ranks: int) -> bool:
    """Whether each epoch has an order of its own, so that which samples a rank gets is not known beforehand: Lightning
    shuffles what it trains on whenever it puts its sampler in a loader, whether the loader shuffled or not
    (`trainer/connectors/data_connector.py`, `_process_dataloader`)."""
    return sharing == PADDED and stage == "train" and ranks > 1
