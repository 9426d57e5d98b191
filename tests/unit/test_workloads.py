"""Workloads: fixed by their seed, cut as their name says, and the same on either side of a file."""

import numpy as np
import pytest

from harness.errors import UsageError
from harness.workloads.library import NAMES, build
from harness.workloads.workload import DataShape, Workload

every_workload = pytest.mark.parametrize("name", NAMES)


def sizes(batches):
    return [len(batch) for batch in batches]


def content(workload: Workload):
    return (
        workload.name, workload.task, workload.train, workload.validation,
        workload.features.dtype, workload.features.tobytes(), workload.targets.dtype, workload.targets.tobytes(),
    )  # fmt: skip


@every_workload
class TestEvery:
    def test_the_same_seed_gives_the_same_workload(self, name):
        assert content(build(name, seed=3)) == content(build(name, seed=3))

    def test_another_seed_draws_other_samples(self, name):
        assert build(name, seed=3).train != build(name, seed=4).train

    def test_no_sample_is_drawn_twice(self, name):
        workload = build(name, seed=0)
        drawn = [sample for stage in ("train", "validation") for batch in workload.batches(stage) for sample in batch]
        assert len(set(drawn)) == len(drawn)

    def test_every_sample_id_is_a_row(self, name):
        workload = build(name, seed=0)
        ids = [sample for batch in workload.train + workload.validation for sample in batch]
        assert set(ids) <= set(range(len(workload.features)))
        assert len(workload.features) == len(workload.targets)

    def test_numbers_are_finite_unless_that_is_its_idea(self, name):
        spoilt = name in ("adversarial/nan", "adversarial/nan_in_training", "adversarial/infinite")
        assert np.isfinite(build(name, seed=0).features).all() != spoilt

    def test_numbers_are_of_the_precision_that_models_take(self, name):
        workload = build(name, seed=0)
        assert (workload.features.dtype, workload.targets.dtype) == (
            np.float32,
            np.int64 if workload.task == "classification" else np.float32,
        )

    def test_it_comes_back_from_a_file_as_it_was(self, name, tmp_path):
        workload = build(name, seed=0)
        workload.save(tmp_path / "workload.npz")
        assert content(Workload.load(tmp_path / "workload.npz")) == content(workload)


@pytest.mark.parametrize("dataset", ["digits", "diabetes"])
class TestPartitions:
    def test_even_batches_are_all_alike(self, dataset):
        workload = build(f"{dataset}/even", seed=0)
        assert (sizes(workload.train), sizes(workload.validation)) == ([32] * 8, [32] * 4)

    def test_ragged_batches_end_with_a_smaller_one(self, dataset):
        workload = build(f"{dataset}/ragged", seed=0)
        assert (sizes(workload.train), sizes(workload.validation)) == ([32] * 7 + [5], [32] * 3 + [5])

    def test_batches_of_one_hold_one_sample_each(self, dataset):
        workload = build(f"{dataset}/batch_of_one", seed=0)
        assert (sizes(workload.train), sizes(workload.validation)) == ([1] * 40, [1] * 30)

    def test_a_single_batch_holds_the_whole_split(self, dataset):
        workload = build(f"{dataset}/single_batch", seed=0)
        assert (sizes(workload.train), sizes(workload.validation)) == ([200], [100])


def test_small_batches_are_many_and_end_with_a_smaller_one():
    workload = build("digits/small_batches", seed=0)
    assert (sizes(workload.train), sizes(workload.validation)) == ([4] * 57 + [1], [4] * 25 + [1])


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("digits/")])
@pytest.mark.parametrize("seed", range(3))
def test_every_digit_occurs_in_training_and_validation(name, seed):
    workload = build(name, seed)
    for stage in ("train", "validation"):
        ids = [sample for batch in workload.batches(stage) for sample in batch]
        assert set(workload.targets[ids]) == set(range(10)), stage


def test_a_classification_has_as_many_classes_as_occur():
    assert build("digits/even", seed=0).shape == DataShape(features=64, classes=10)


def test_a_regression_has_no_classes():
    assert build("diabetes/even", seed=0).shape == DataShape(features=10, classes=0)


@pytest.mark.parametrize("name", ["digits/odd", "letters/even"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(KeyError):
        build(name, seed=0)


class TestWrittenOut:
    def test_a_partition_may_stand_in_the_name(self):
        workload = build("diabetes/train=2x3+1,validation=4", seed=0)
        assert (sizes(workload.train), sizes(workload.validation)) == ([3, 3, 1], [4])

    @pytest.mark.parametrize("other", ["train=5x1,validation=2+6", "train=5~1,validation=8~2"])
    def test_other_batches_of_as_many_samples_hold_the_same_ones(self, other):
        one, another = build("digits/train=5,validation=8", seed=3), build(f"digits/{other}", seed=3)
        for stage in ("train", "validation"):
            assert set(np.concatenate(one.batches(stage))) == set(np.concatenate(another.batches(stage)))

    def test_more_samples_than_there_are_are_refused(self):
        with pytest.raises(
            UsageError, match=r"diabetes/train=400,validation=43 asks for 443 samples; diabetes has 442"
        ):
            build("diabetes/train=400,validation=43", seed=0)
