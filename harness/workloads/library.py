"""The workloads there are: scikit-learn's bundled real data, cut into even, ragged, single and one-sample batches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.workloads.workload import Workload


@dataclass(frozen=True)
class Partition:
    """How many samples are used for training and validation, and how large a batch is."""

    train: int
    validation: int
    batch: int


PARTITIONS = {
    "even": Partition(train=256, validation=128, batch=32),
    "ragged": Partition(train=229, validation=101, batch=32),
    "batch_of_one": Partition(train=40, validation=30, batch=1),
    "single_batch": Partition(train=200, validation=100, batch=200),
}


def _digits() -> tuple[str, NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return "classification", (images / 16.0).astype(np.float32), labels.astype(np.int64)


def _diabetes() -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
    """Targets are divided by 100, so that a small network's first steps do not diverge."""
    from sklearn.datasets import load_diabetes

    features, progression = load_diabetes(return_X_y=True)
    return (
        "regression",
        (features * 20.0).astype(np.float32),
        (progression / 100.0).astype(np.float32)[:, None],
    )


DATASETS: dict[str, Callable[[], tuple[str, NDArray[np.float32], NDArray[np.generic]]]] = {
    "digits": _digits,
    "diabetes": _diabetes,
}

# Under a name of their own, so that only those scenarios run on them that ask for them.
ADVERSARIAL = {"small_batches": ("digits", Partition(train=229, validation=101, batch=4))}

NAMES = (
    *(f"{dataset}/{partition}" for dataset in DATASETS for partition in PARTITIONS),
    *(f"adversarial/{name}" for name in ADVERSARIAL),
)


def build(name: str, seed: int) -> Workload:
    """Draw the samples of a workload. The same name and seed give the same bytes.

    Classes are drawn evenly, so that every class occurs in every split that is large enough to hold it.

    Raises:
        KeyError: not one of `NAMES`.
    """
    dataset, partition_name = name.split("/")
    if dataset == "adversarial":
        dataset, partition = ADVERSARIAL[partition_name]
    else:
        partition = PARTITIONS[partition_name]
    task, features, targets = DATASETS[dataset]()
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(features))
    if task == "classification":
        order = _interleave_classes(order, targets)
    chosen = order[: partition.train + partition.validation]
    # Validation first: the evenly drawn head of the order then covers every class even in a small split.
    validation = generator.permutation(chosen[: partition.validation])
    train = generator.permutation(chosen[partition.validation :])
    return Workload(
        name=name,
        task=task,
        features=features,
        targets=targets,
        train=_cut(train, partition.batch),
        validation=_cut(validation, partition.batch),
    )


def _interleave_classes(order: NDArray[np.int64], labels: NDArray[np.generic]) -> NDArray[np.int64]:
    """Reorder so that the k-th sample of every class comes before the (k+1)-th of any."""
    shuffled = labels[order]
    rank_in_class = np.empty(len(order), dtype=np.int64)
    for label in np.unique(shuffled):
        members = np.flatnonzero(shuffled == label)
        rank_in_class[members] = np.arange(len(members))
    return order[np.argsort(rank_in_class, kind="stable")]


def _cut(ids: NDArray[np.int64], batch: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(i) for i in ids[start : start + batch]) for start in range(0, len(ids), batch))
