"""Workloads: fixed by their seed, cut as their name says, and the same on either side of a file."""

import numpy as np
import pytest

from harness.errors import UsageError
from harness.workloads.library import NAMES, build, recipe
from harness.workloads.schedule import Schedule, limited
from harness.workloads.workload import DataShape, Workload

every_workload = pytest.mark.parametrize("name", NAMES)


def sizes(batches):
    return [len(batch) for batch in batches]


def content(workload: Workload):
    return (
        workload.name, workload.task, workload.train, workload.validation,
        workload.features.dtype, workload.features.tobytes(), workload.targets.dtype, workload.targets.tobytes(),
        workload.loaders, workload.structure, workload.precision, workload.schedule,
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
    assert (sizes(workload.train), sizes(workload.validation)) == ([4] * 28 + [1], [4] * 12 + [1])


class TestAdversarial:
    @staticmethod
    def of(name):
        return build(f"adversarial/{name}", seed=0)

    @pytest.mark.parametrize(
        ("name", "spoilt_in", "value"),
        [("nan", "validation", np.isnan), ("nan_in_training", "train", np.isnan), ("infinite", "validation", np.isinf)],
    )
    def test_three_samples_of_one_batch_of_one_stage_are_no_numbers(self, name, spoilt_in, value):
        workload = self.of(name)
        spoilt = {
            stage: [sum(value(workload.features[list(batch), 0])) for batch in workload.batches(stage)]
            for stage in ("train", "validation")
        }
        assert sorted(spoilt[spoilt_in])[-2:] == [0, 3]
        assert sum(sum(counts) for counts in spoilt.values()) == 3

    def test_a_constant_target_is_one_class_of_several(self):
        workload = self.of("constant_target")
        assert (set(workload.targets), workload.shape.classes) == ({3}, 4)

    def test_two_samples_of_each_split_are_of_the_rare_class(self):
        workload = self.of("imbalanced")
        for stage in ("train", "validation"):
            ids = [sample for batch in workload.batches(stage) for sample in batch]
            assert workload.targets[ids].tolist().count(1) == 2, stage
        assert set(workload.targets) == {0, 1}

    def test_dyadic_values_are_eighths_in_batches_of_powers_of_two(self):
        workload = self.of("dyadic")
        assert (workload.features * 8 % 1 == 0).all()
        assert sizes(workload.train) == [1, 1, 2, 4, 8, 16, 32, 64, 128]
        assert sizes(workload.validation) == [1, 1, 2, 4, 8, 16, 32, 64]

    def test_very_many_batches_hold_one_tiny_value_each(self):
        workload = self.of("many_batches")
        assert sizes(workload.validation) == [1] * 5_000
        assert 0.0009 < workload.features.min() < workload.features.max() < 0.0021

    def test_an_empty_validation_has_neither_batches_nor_passes(self):
        workload = self.of("empty_validation")
        assert (workload.batches("validation"), workload.passes("validation", 0)) == ((), 0)
        assert workload.passes("train", 0) == 1

    def test_two_loaders_share_the_validation_batches(self):
        workload = self.of("two_loaders")
        first, second = workload.loaders_of("validation")
        assert (sizes(first), sizes(second)) == ([32], [32, 32, 5])
        assert workload.batches("validation") == first + second

    @pytest.mark.parametrize(
        ("name", "train", "validation"),
        [("limited_to_batches", [32] * 5, [32] * 3), ("limited_to_fractions", [32] * 5, [32] * 2)],
    )
    def test_a_limit_leaves_the_first_batches(self, name, train, validation):
        workload = self.of(name)
        assert (sizes(workload.batches("train")), sizes(workload.batches("validation"))) == (train, validation)
        assert workload.batches("train") == workload.train[:5]

    @pytest.mark.parametrize(
        ("name", "validations"),
        [
            ("two_validations", [2, 2, 2, 2, 2]),
            ("validation_every_3_batches", [2, 2, 2, 2, 2]),
            ("validation_every_2_epochs", [0, 1, 0, 1, 0]),
            ("accumulation", [1, 1, 1, 1, 1]),
        ],
    )
    def test_a_schedule_says_how_often_an_epoch_validates(self, name, validations):
        workload = self.of(name)
        assert [workload.passes("validation", epoch) for epoch in range(5)] == validations

    @pytest.mark.parametrize("precision", ["float64", "float16", "bfloat16"])
    def test_a_precision_is_what_a_workload_is_called_by(self, precision):
        assert self.of(precision).precision == recipe(f"adversarial/{precision}").precision == precision

    @pytest.mark.parametrize("structure", ["dict", "nested"])
    def test_a_structure_is_what_a_workload_is_called_by(self, structure):
        assert self.of(structure).structure == structure


class TestSchedule:
    @pytest.mark.parametrize(("limit", "left"), [(1, 1), (1.0, 7), (0.5, 3), (9, 7), (0.99, 6)])
    def test_a_limit_is_a_number_of_batches_or_a_fraction_rounded_down(self, limit, left):
        assert limited(7, limit) == left

    def test_an_accumulated_step_ends_with_every_third_batch_and_with_the_epoch(self):
        schedule = Schedule(accumulate=3)
        assert [batch for batch in range(8) if schedule.ends_step(batch, 8)] == [2, 5, 7]

    def test_a_validation_comes_only_when_all_batches_that_it_waits_for_are_done(self):
        assert Schedule(validate_after=3).validations(0, batches=8) == 2


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
