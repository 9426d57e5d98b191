"""The workloads there are: scikit-learn's bundled real data, cut into even, ragged, single and one-sample
batches, and the adversarial ones."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.workloads.adversarial import ADVERSARIAL, Samples, eighths, thousandths
from harness.workloads.recipe import Partition, Recipe
from harness.workloads.workload import Workload

PARTITIONS = {
    "even": Partition(train=256, validation=128, batch=32),
    "ragged": Partition(train=229, validation=101, batch=32),
    "batch_of_one": Partition(train=40, validation=30, batch=1),
    "single_batch": Partition(train=200, validation=100, batch=200),
}


def _digits() -> Samples:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return "classification", (images / 16.0).astype(np.float32), labels.astype(np.int64)


def _diabetes() -> Samples:
    """Targets are divided by 100, so that a small network's first steps do not diverge."""
    from sklearn.datasets import load_diabetes

    features, progression = load_diabetes(return_X_y=True)
    return (
        "regression",
        (features * 20.0).astype(np.float32),
        (progression / 100.0).astype(np.float32)[:, None],
    )


DATASETS: dict[str, Callable[[], Samples]] = {
    "digits": _digits,
    "diabetes": _diabetes,
    "eighths": eighths,
    "thousandths": thousandths,
}

RECIPES = {
    **{
        f"{dataset}/{name}": Recipe(dataset, partition)
        for dataset in ("digits", "diabetes")
        for name, partition in PARTITIONS.items()
    },
    # Under a name of their own, so that only those scenarios run on them that ask for them.
    **{f"adversarial/{name}": recipe for name, recipe in ADVERSARIAL.items()},
}

NAMES = tuple(RECIPES)


def precision_of(name: str) -> str:
    """The precision that a workload asks models to have."""
    return RECIPES[name].precision


def build(name: str, seed: int) -> Workload:
    """Draw the samples of a workload. The same name and seed give the same bytes.

    Classes are drawn evenly, so that every class occurs in every split that is large enough to hold it.

    Raises:
        KeyError: not one of `NAMES`.
    """
    recipe = RECIPES[name]
    partition = recipe.partition
    task, features, targets = DATASETS[recipe.dataset]()
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(features))
    if task == "classification":
        order = _interleave_classes(order, targets)
    chosen = order[: partition.train + partition.validation]
    # Validation first: the evenly drawn head of the order then covers every class even in a small split.
    validation = generator.permutation(chosen[: partition.validation])
    train = generator.permutation(chosen[partition.validation :])
    return recipe.spoil(
        Workload(
            name=name,
            task=task,
            features=features,
            targets=targets,
            train=_cut(train, partition.batch),
            validation=_cut(validation, partition.batch),
            loaders=recipe.loaders,
            structure=recipe.structure,
            precision=recipe.precision,
            schedule=recipe.schedule,
        )
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
