"""Workloads on which aggregation goes wrong: awkward samples, partitions, loaders and schedules, one idea each.

All are cut raggedly where nothing else is said: eight training batches and four validation batches, the last
of either with 5 samples, the others with 32.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.workloads.recipe import Recipe
from harness.workloads.schedule import Schedule
from harness.workloads.sharing import Batches
from harness.workloads.workload import Workload

Samples = tuple[str, NDArray[np.float32], NDArray[np.generic]]  # task, features, targets


def eighths() -> Samples:
    """One feature, a multiple of 1/8 between -8 and 8; a model that returns it has dyadic outputs."""
    values = ((np.arange(384) * 37 % 128 - 64) / 8).astype(np.float32)[:, None]
    return "regression", values, np.zeros_like(values)


def thousandths() -> Samples:
    """One feature between 0.001 and 0.002, never dyadic: a float32 sum of so many drifts."""
    values = (0.001 + 0.001 * np.arange(100_002) / 100_002).astype(np.float32)[:, None]
    return "regression", values, np.zeros_like(values)


def _spoilt(workload: Workload, batch: tuple[int, ...], value: float) -> Workload:
    """Three samples of a batch have a first feature that is no number."""
    features = workload.features.copy()
    features[list(batch[:3]), 0] = value
    return replace(workload, features=features)


def _nan(workload: Workload) -> Workload:
    return _spoilt(workload, workload.validation[1], np.nan)


def _nan_in_training(workload: Workload) -> Workload:
    return _spoilt(workload, workload.train[2], np.nan)


def _infinite(workload: Workload) -> Workload:
    return _spoilt(workload, workload.validation[1], np.inf)


def _constant_target(workload: Workload) -> Workload:
    return replace(workload, targets=np.full_like(workload.targets, 3))


def _imbalanced(workload: Workload) -> Workload:
    """Two of the eights of each split are of class 1, everything else is of class 0."""
    targets = np.zeros_like(workload.targets)
    for batches in (workload.train, workload.validation):
        eights = [sample for batch in batches for sample in batch if workload.targets[sample] == 8]
        targets[eights[:2]] = 1
    return replace(workload, targets=targets)


def _powers_of_two(workload: Workload) -> Workload:
    """Batches of 1, 1, 2, 4, 8, … samples: their means, and the sums of their means, are exact in binary."""
    return replace(workload, train=_doubling(workload.train), validation=_doubling(workload.validation))


def _doubling(batches: Batches) -> Batches:
    samples = [sample for batch in batches for sample in batch]
    ends = [0, *(2**power for power in range(len(samples).bit_length()))]
    return tuple(tuple(samples[start:end]) for start, end in pairwise(ends))


def _without_validation(workload: Workload) -> Workload:
    return replace(workload, validation=())


RAGGED = "train=7x32+5,validation=3x32+5"


def _scheduled(**schedule: object) -> Recipe:
    return Recipe("digits", RAGGED, schedule=Schedule(**schedule))  # type: ignore[arg-type]


ADVERSARIAL = {
    # For loops of one's own: a trial in Lightning would take a minute wherever it does not have a processor to itself.
    "very_many_batches": Recipe("thousandths", "train=2x1,validation=100000x1", schedule=Schedule(epochs=1)),
    "many_batches": Recipe("thousandths", "train=2x1,validation=5000x1", schedule=Schedule(epochs=1)),
    "dyadic": Recipe("eighths", "train=8x32,validation=4x32", _powers_of_two),
    "nan": Recipe("digits", RAGGED, _nan),
    "nan_in_training": Recipe("digits", RAGGED, _nan_in_training),
    "infinite": Recipe("diabetes", RAGGED, _infinite),
    "constant_target": Recipe("digits", RAGGED, _constant_target),
    "imbalanced": Recipe("digits", RAGGED, _imbalanced),
    "float64": Recipe("digits", RAGGED, precision="float64"),
    "float16": Recipe("digits", RAGGED, precision="float16"),
    "bfloat16": Recipe("digits", RAGGED, precision="bfloat16"),
    "empty_validation": Recipe("digits", RAGGED, _without_validation),
    "two_loaders": Recipe("digits", RAGGED, loaders=(1, 3)),
    "dict": Recipe("digits", RAGGED, structure="dict"),
    "nested": Recipe("digits", RAGGED, structure="nested"),
    "accumulation": _scheduled(accumulate=3),
    "two_validations": _scheduled(validate_after=0.5),
    "validation_every_3_batches": _scheduled(validate_after=3, accumulate=2),
    "validation_every_2_epochs": _scheduled(validate_every=2),
    "limited_to_batches": _scheduled(train_limit=5, validation_limit=3),
    "limited_to_fractions": _scheduled(train_limit=0.7, validation_limit=0.6),
    "resumed": _scheduled(stopped_at=(2, 2)),
}
