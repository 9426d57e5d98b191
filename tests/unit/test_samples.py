"""Which samples a batch holds, told by its features wherever these stand as the workload has them."""

import pytest

from harness.frameworks.partition import Samples
from harness.workloads import library

WORKLOAD = library.build("digits/train=2x8,validation=1x5", seed=0)
GIVEN, SUPPOSED = WORKLOAD.train


@pytest.fixture
def samples():
    return Samples(WORKLOAD)


@pytest.fixture
def pair(samples):
    return samples.features[list(GIVEN)], samples.targets[list(GIVEN)]


@pytest.mark.parametrize("arranged", [tuple, list, lambda pair: {"inputs": pair[0], "labels": pair[1]}])
def test_samples_are_told_by_their_features(samples, pair, arranged):
    assert samples.identify(arranged(pair), SUPPOSED) == GIVEN


@pytest.mark.parametrize(
    "rearranged",
    [
        lambda x, y: {"label": y, "pixels": x},
        lambda x, y: {"in": {"pixels": x}, "label": y},
        lambda x, y: {"in": {"pixels": x, "mask": x > 0}, "label": y},
        lambda x, y: (y, x),
        lambda x, y: (x.reshape(-1, 1, 8, 8), y),
        lambda x, y: (x.double(), y),
        lambda x, _: x,
        lambda *_: None,
    ],
    ids=["targets first", "nested", "two of them", "swapped", "images", "double", "alone", "nothing"],
)
def test_a_batch_of_another_structure_holds_the_supposed_ones(samples, pair, rearranged):
    assert samples.identify(rearranged(*pair), SUPPOSED) == SUPPOSED
    assert samples.foreign(rearranged(*pair)) == ()
