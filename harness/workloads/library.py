"""The workloads there are: scikit-learn's bundled real data, cut into even, ragged, single and one-sample
batches, and the adversarial ones."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.scenario import OWN_DATA
from harness.workloads import own_data, partitions, written_out
from harness.workloads.adversarial import ADVERSARIAL, Samples, eighths, thousandths
from harness.workloads.ranks import RANKS
from harness.workloads.recipe import Recipe
from harness.workloads.schedule import Schedule
from harness.workloads.workload import Workload

PARTITIONS = {
    "even": "train=8x32,validation=4x32",
    "ragged": "train=7x32+5,validation=3x32+5",
    "small_batches": "train=28x4+1,validation=12x4+1",
    # More batches than the 20 that the bar of Lightning 1.x averages over, and a multiple of document 002's windows.
    "batch_of_one": "train=40x1,validation=30x1",
    "single_batch": "train=200,validation=100",
}


@cache
def _digits() -> Samples:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return "classification", (images / 16.0).astype(np.float32), labels.astype(np.int64)


@cache
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
    **{f"ranks/{name}": recipe for name, recipe in RANKS.items()},
}

# Few batches and epochs, for what is run under many faults or starts processes.
RECIPES["short/diabetes"] = Recipe("diabetes", "train=4x16,validation=4x16", schedule=Schedule(epochs=3))
RECIPES["short/digits"] = Recipe("digits", "train=5x32,validation=3x32+5", schedule=Schedule(epochs=3))
RECIPES["short/two_epochs"] = Recipe("digits", "train=5x32,validation=3x32+5", schedule=Schedule(epochs=2))
RECIPES["short/single_epoch"] = Recipe("digits", "train=5x32,validation=3x32+5", schedule=Schedule(epochs=1))

# The same with one more thing to each, for what becomes of a training loop.
RECIPES |= {
    f"short/{name}": Recipe("digits", "train=5x32,validation=3x32+5", loaders=loaders, schedule=Schedule(**schedule))
    for name, loaders, schedule in (
        ("accumulation", (), {"epochs": 2, "accumulate": 2}),
        ("two_loaders", (1, 3), {"epochs": 2, "accumulate": 2}),
        ("two_validations", (), {"epochs": 2, "validate_after": 2}),
        ("fraction", (), {"epochs": 2, "validate_after": 0.5}),
        ("cut", (), {"epochs": 1, "train_limit": 3}),
        ("resumed", (), {"epochs": 3, "stopped_at": (1, 2)}),
    )
}

NAMES = tuple(RECIPES)


def recipe(name: str) -> Recipe:
    """What a workload is made of; as in `build`, but for samples that there are not."""
    if name == OWN_DATA:
        return Recipe("own", "")
    dataset, _, text = name.partition("/")
    if not written_out.is_written_out(text):
        return RECIPES[name]
    partition, schedule, sharing = written_out.parse(text)
    return Recipe(dataset, str(partition), schedule=schedule, sharing=sharing)


def build(name: str, seed: int) -> Workload:
    """Draw the samples of a workload. The same name and seed give the same bytes.

    Classes are drawn evenly, so that every class occurs in every split that is large enough to hold it.

    Args:
        name: one of `NAMES`, or written out (`digits/train=2x32+5,validation=3+1,accumulate=2`).

    Raises:
        KeyError: there is no such data set, or no partition that is called so.
        UsageError: what is written out is malformed, or asks for more samples than there are.
    """
    if name == OWN_DATA:
        return own_data.nothing_known()
    made_of = recipe(name)
    partition = partitions.parse(made_of.partition)
    task, features, targets = DATASETS[made_of.dataset]()
    if partition.samples > len(features):
        raise UsageError(f"workload {name} asks for {partition.samples} samples; {made_of.dataset} has {len(features)}")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(features))
    if task == "classification":
        order = _interleave_classes(order, targets)
    chosen = order[: partition.samples]
    # Validation first: the evenly drawn head of the order then covers every class even in a small split.
    validation = generator.permutation(chosen[: partition.validation.samples])
    train = generator.permutation(chosen[partition.validation.samples :])
    return made_of.spoil(
        Workload(
            name=name,
            task=task,
            features=features,
            targets=targets,
            train=partition.train.apply(train),
            validation=partition.validation.apply(validation),
            loaders=made_of.loaders,
            structure=made_of.structure,
            precision=made_of.precision,
            schedule=made_of.schedule,
            sharing=made_of.sharing,
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
