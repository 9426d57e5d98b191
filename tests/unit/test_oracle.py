"""The oracle against torch and torchmetrics (which it must admit), against SciPy and scikit-learn (with which it
must agree), and against slightly wrong figures (which it must not admit)."""

import math
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from torch.nn import functional
from torchmetrics.functional import classification

from harness.oracle.measured import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    Measured,
    accumulation,
    gamma,
    mean,
    root,
    total,
    underflow,
    weighted_mean,
)
from harness.oracle.predictions import (
    Batch,
    all_epochs_so_far,
    every_n_batches,
    exponential_mean,
    last_batch,
    mean_of_batch_means,
    mean_of_last_20_batches,
    never_updated,
    over_the_epoch,
    since_resuming,
    weighted_by_batch_size,
    weighted_on_rank_zero,
    weighted_with_truncated_count,
    weighted_without_nan,
)
from harness.oracle.quantities import (
    Quantity,
    accuracy,
    auroc_macro,
    class_distance,
    cross_entropy,
    f1_macro,
    mean_of_outputs,
    mean_squared_error,
    root_mean_squared_error,
    std_of_outputs,
)

reproducible = settings(deadline=None, derandomize=True, max_examples=40)

MEANS = (cross_entropy, accuracy, class_distance, mean_squared_error, mean_of_outputs)
NOT_MEANS = (f1_macro, auroc_macro, root_mean_squared_error, std_of_outputs)
QUANTITIES = MEANS + NOT_MEANS
CLASSIFYING = (cross_entropy, accuracy, class_distance, f1_macro, auroc_macro)
OF_COUNTS = (
    accuracy,
    class_distance,
    f1_macro,
    auroc_macro,
)  # torchmetrics divides counts in float32, whatever the logits are

by_name = pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)


@dataclass(frozen=True)
class Data:
    """Outputs and targets as torch has them."""

    outputs: torch.Tensor
    targets: torch.Tensor

    @property
    def arrays(self):
        return self.outputs.double().numpy(), self.targets.double().numpy()

    def measure(self, quantity: Quantity, u: float = FLOAT32) -> Measured:
        return quantity(*self.arrays, u)

    def batches(self, *sizes: int) -> list[Batch]:
        outputs, targets = self.arrays
        ends = np.cumsum(sizes)
        assert ends[-1] == len(outputs)
        spans = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        return [Batch(tuple(span), outputs[span], targets[span]) for span in spans]


def classified(n: int, classes: int = 10, scale: float = 3.0, seed: int = 0, dtype=torch.float32) -> Data:
    """Logits of a model that has learned something, and classes of which some may not occur."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes)) + np.eye(classes)[targets]
    return Data(torch.tensor(logits * scale).to(dtype), torch.tensor(targets))


def regressed(n: int, offset: float = 0.0, scale: float = 3.0, seed: int = 0, dtype=torch.float32) -> Data:
    generator = np.random.default_rng(seed)
    outputs = (generator.normal(size=(n, 1)) + offset) * scale
    targets = outputs + generator.normal(size=(n, 1)) * scale
    return Data(torch.tensor(outputs).to(dtype), torch.tensor(targets).to(dtype))


def data_for(quantity: Quantity, n: int, **more) -> Data:
    return classified(n, **more) if quantity in CLASSIFYING else regressed(n, offset=1.0, **more)


def of_torch(quantity: Quantity, data: Data) -> float:
    """What a training script gets, in the data's own precision."""
    outputs, targets = data.outputs, data.targets
    of_classes = {"num_classes": outputs.shape[1], "average": "macro"}
    by_torch: dict[str, Callable[[], torch.Tensor]] = {
        cross_entropy.name: lambda: functional.cross_entropy(outputs, targets),
        accuracy.name: lambda: classification.multiclass_accuracy(outputs, targets, outputs.shape[1], average="micro"),
        class_distance.name: lambda: functional.l1_loss(outputs.argmax(dim=1).float(), targets.float()),
        f1_macro.name: lambda: classification.multiclass_f1_score(outputs, targets, **of_classes),
        auroc_macro.name: lambda: classification.multiclass_auroc(outputs, targets, **of_classes),
        mean_squared_error.name: lambda: functional.mse_loss(outputs, targets),
        root_mean_squared_error.name: lambda: functional.mse_loss(outputs, targets).sqrt(),
        mean_of_outputs.name: lambda: outputs.mean(),
        std_of_outputs.name: lambda: outputs.std(),
    }
    with warnings.catch_warnings():  # of classes without samples, which the oracle counts as torchmetrics does
        warnings.simplefilter("ignore", UserWarning)
        return by_torch[quantity.name]().item()


def of_scikit_learn(quantity: Quantity, data: Data) -> float:
    """The same by another way, in float64."""
    outputs, targets = data.arrays
    flat = outputs.reshape(-1)
    if quantity is cross_entropy:
        return float(np.mean(logsumexp(outputs, axis=1) - outputs[np.arange(len(outputs)), targets.astype(int)]))
    if quantity is auroc_macro:
        return sklearn.metrics.roc_auc_score(targets, softmax(outputs, axis=1), multi_class="ovr", average="macro")
    return {
        accuracy.name: lambda: sklearn.metrics.accuracy_score(targets, outputs.argmax(axis=1)),
        class_distance.name: lambda: sklearn.metrics.mean_absolute_error(targets, outputs.argmax(axis=1)),
        f1_macro.name: lambda: sklearn.metrics.f1_score(targets, outputs.argmax(axis=1), average="macro"),
        mean_squared_error.name: lambda: sklearn.metrics.mean_squared_error(targets, outputs),
        root_mean_squared_error.name: lambda: sklearn.metrics.root_mean_squared_error(targets, outputs),
        mean_of_outputs.name: lambda: np.mean(flat),
        std_of_outputs.name: lambda: np.std(flat, ddof=1),
    }[quantity.name]()


sizes = st.sampled_from([2, 3, 17, 64, 229])
scales = st.sampled_from([1e-3, 0.1, 1.0, 10.0, 1e3])
seeds = st.integers(0, 2**32 - 1)
class_counts = st.sampled_from([2, 3, 10, 40])


class TestTheBoundHolds:
    @pytest.mark.parametrize("quantity", CLASSIFYING, ids=lambda quantity: quantity.name)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @reproducible
    @given(n=sizes, classes=class_counts, scale=scales, seed=seeds)
    def test_for_what_torch_and_torchmetrics_make_of_logits(self, quantity, dtype, n, classes, scale, seed):
        data = classified(n, classes, scale, seed, getattr(torch, dtype))
        u = FLOAT32 if dtype == "float32" else FLOAT64
        measured = data.measure(quantity, u)
        assert measured.admits(of_torch(quantity, data)), measured

    @pytest.mark.parametrize("quantity", [q for q in QUANTITIES if q not in CLASSIFYING], ids=lambda q: q.name)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @reproducible
    @given(n=sizes, offset=st.sampled_from([0.0, 1.0, 100.0, 1e4]), scale=scales, seed=seeds)
    def test_for_what_torch_makes_of_outputs(self, quantity, dtype, n, offset, scale, seed):
        data = regressed(n, offset, scale, seed, getattr(torch, dtype))
        u = FLOAT32 if dtype == "float32" else FLOAT64
        measured = data.measure(quantity, u)
        assert measured.admits(of_torch(quantity, data)), measured

    @by_name
    @pytest.mark.parametrize("u", [FLOAT16, BFLOAT16], ids=["float16", "bfloat16"])
    @reproducible
    @given(n=st.sampled_from([2, 17, 64]), seed=seeds)
    def test_for_half_precision_that_is_added_up_in_float32(self, quantity, u, n, seed):
        data = data_for(quantity, n, seed=seed, dtype=torch.float16 if u == FLOAT16 else torch.bfloat16)
        if quantity is cross_entropy:  # torch 2.13 itself adds these up in bfloat16
            observed = functional.cross_entropy(data.outputs, data.targets, reduction="none").float().mean().item()
        else:
            observed = of_torch(quantity, data)
        assert data.measure(quantity, u).admits(observed)

    @pytest.mark.parametrize("quantity", MEANS, ids=lambda quantity: quantity.name)
    @reproducible
    @given(n=st.sampled_from([2, 3, 17, 64]), seed=seeds, split=st.randoms(use_true_random=False))
    def test_for_lightnings_weighted_mean_over_any_batches(self, quantity, n, seed, split):
        data = data_for(quantity, n, seed=seed)
        order = torch.tensor(split.sample(range(n), n))
        ends = sorted({n, *split.sample(range(1, n), split.randrange(n))})
        total = torch.zeros(())
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            chosen = order[begin:end]
            batch = Data(data.outputs[chosen], data.targets[chosen])
            total = total + torch.tensor(of_torch(quantity, batch)) * (end - begin)
        assert data.measure(quantity).admits((total / n).item())

    @pytest.mark.parametrize("quantity", [cross_entropy, mean_squared_error, mean_of_outputs], ids=lambda q: q.name)
    @reproducible
    @given(n=st.sampled_from([2, 17, 64]), seed=seeds)
    def test_for_one_float32_addition_after_the_other_of_samples_in_falling_order(self, quantity, n, seed):
        """No order of additions errs more easily than this one."""
        data = data_for(quantity, n, seed=seed)
        alone = [of_torch(quantity, Data(data.outputs[i : i + 1], data.targets[i : i + 1])) for i in range(n)]
        total = np.float32(0)
        for term in sorted(alone, key=abs, reverse=True):
            total += np.float32(term)
        assert data.measure(quantity).admits(float(total / np.float32(n)))

    @reproducible
    @given(n=sizes, seed=seeds, offset=st.sampled_from([0.0, 10.0, 1e3]))
    def test_for_welfords_updates_in_float32(self, n, seed, offset):
        data = regressed(n, offset, seed=seed)
        centre = squares = np.float32(0)
        for count, value in enumerate(data.outputs.numpy().reshape(-1), 1):
            before = value - centre
            centre += before / np.float32(count)
            squares += before * (value - centre)
        assert data.measure(std_of_outputs).admits(float(np.sqrt(squares / np.float32(n - 1))))

    def test_for_a_model_that_is_sure_of_everything(self):
        """In float32 most softmax scores are exactly 0 or 1 then, and tie."""
        data = classified(229, scale=1e3)
        assert data.measure(auroc_macro).admits(of_torch(auroc_macro, data))

    def test_for_scores_that_differ_by_less_than_the_rounding_of_a_far_logit(self):
        """Class 1 lies 70 below the largest logit, give or take half of float32's spacing there: its scores tie."""
        largest = np.random.default_rng(0).uniform(1, 2, 50).astype(np.float32)
        logits = np.stack([largest, largest - np.float32(70), -30 - np.arange(50) / 4], axis=1).astype(np.float32)
        below = logits[:, 1].astype(np.float64) - largest
        targets = np.where(below > np.median(below), 1, 2)  # class 0 does not occur, and counts as 0
        data = Data(torch.tensor(logits), torch.tensor(targets))
        measured, observed = data.measure(auroc_macro), of_torch(auroc_macro, data)
        assert measured.value - observed == pytest.approx((1.0 - 0.5) / 3, rel=0.1)
        assert measured.admits(observed)

    def test_for_squares_that_are_too_small_for_float32(self):
        data = regressed(17, scale=1e-22)
        measured, observed = data.measure(mean_squared_error), of_torch(mean_squared_error, data)
        assert observed != pytest.approx(measured.value, rel=1e-3, abs=0)
        assert measured.admits(observed)


class TestTheBoundIsTight:
    @by_name
    def test_an_error_of_one_thousandth_is_not_admitted(self, quantity):
        measured = data_for(quantity, 256).measure(quantity)
        assert not measured.admits(measured.value * 1.001)

    @by_name
    def test_nor_is_one_of_a_hundred_thousandth_in_float64(self, quantity):
        u = FLOAT32 if quantity in OF_COUNTS else FLOAT64
        measured = data_for(quantity, 64, dtype=torch.float64).measure(quantity, u)
        assert not measured.admits(measured.value * 1.00001)

    @by_name
    def test_float32_is_held_to_a_few_roundings_per_sample(self, quantity):
        measured = data_for(quantity, 256).measure(quantity)
        assert measured.bound <= 2 * 256 * FLOAT32 * abs(measured.value)

    @pytest.mark.parametrize("quantity", OF_COUNTS, ids=lambda quantity: quantity.name)
    def test_one_hit_more_or_less_shows(self, quantity):
        data = classified(256)
        hit = int(torch.nonzero(data.outputs.argmax(dim=1) == data.targets)[0])
        flipped = data.outputs.clone()
        flipped[hit] *= -1
        assert not data.measure(quantity).admits(Data(flipped, data.targets).measure(quantity).value)

    def test_the_population_deviation_is_no_sample_deviation(self):
        data = regressed(256)
        assert not data.measure(std_of_outputs).admits(data.outputs.std(correction=0).item())

    def test_a_sum_that_stalls_in_float16_is_not_admitted(self):
        """From 2048 on, float16 has no odd numbers left: adding less than 1 changes nothing."""
        data = Data(torch.full((4000, 1), 0.9, dtype=torch.float16), torch.zeros(4000, 1))
        total = np.float16(0)
        for value in data.outputs.numpy().reshape(-1):
            total += value
        assert not data.measure(mean_of_outputs, FLOAT16).admits(float(total) / 4000)

    def test_the_bound_stays_finite_in_half_precision_over_many_samples(self):
        assert regressed(10_000, dtype=torch.bfloat16).measure(mean_squared_error, BFLOAT16).bound < math.inf


class TestValues:
    @by_name
    @reproducible
    @given(n=st.sampled_from([64, 229]), scale=st.sampled_from([0.1, 1.0, 10.0]), seed=seeds)
    def test_agree_with_scipy_and_scikit_learn(self, quantity, n, scale, seed):
        data = data_for(quantity, n, scale=scale, seed=seed, dtype=torch.float64)
        if quantity in CLASSIFYING:
            data.targets[:10] = torch.arange(10)  # scikit-learn has no AUROC unless every class occurs
        assert data.measure(quantity).value == pytest.approx(of_scikit_learn(quantity, data), rel=1e-12, abs=1e-13)

    def test_a_class_that_does_not_occur_has_no_f1(self):
        logits = torch.eye(5)[[0, 1, 1, 2]]
        data = Data(logits, torch.tensor([0, 1, 0, 2]))
        assert data.measure(f1_macro).value == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)

    def test_a_class_without_samples_counts_as_0_in_the_auroc(self):
        data = Data(torch.tensor([[3.0, -1, 0], [-1, 3, 0]]), torch.tensor([0, 1]))
        assert data.measure(auroc_macro).value == pytest.approx(2 / 3)

    def test_a_class_that_is_the_only_one_counts_as_0_in_the_auroc(self):
        data = Data(torch.randn(4, 2, generator=torch.manual_seed(0)), torch.zeros(4, dtype=torch.int64))
        assert data.measure(auroc_macro) == Measured(0.0, pytest.approx(0.0, abs=1e-30))

    def test_outputs_between_0_and_1_are_scores_as_they_are(self):
        """By softmax, the second and third sample would change places."""
        data = Data(torch.tensor([[0.9, 0.0], [0.6, 0.5], [0.5, 0.0], [0.1, 0.0]]), torch.tensor([0, 0, 1, 1]))
        assert data.measure(auroc_macro).value == of_torch(auroc_macro, data) == (1.0 + 0.25) / 2

    def test_a_constant_model_has_an_auroc_of_one_half_and_no_doubt_about_it(self):
        data = Data(torch.tensor([[0.1, -3.0]]).repeat(20, 1), torch.tensor([0, 1] * 10))
        measured = data.measure(auroc_macro)
        assert measured.value == 0.5
        assert measured.bound < 1e-5

    def test_equal_logits_predict_the_first_class(self):
        data = Data(torch.ones(3, 4), torch.tensor([0, 0, 1]))
        assert data.measure(accuracy).value == pytest.approx(2 / 3)

    def test_a_constant_output_has_no_deviation(self):
        data = Data(torch.full((100, 1), 0.1), torch.zeros(100, 1))
        assert data.measure(std_of_outputs).value == pytest.approx(0.0, abs=1e-15)

    @by_name
    def test_dyadic_data_gives_the_very_number(self, quantity):
        """Outputs and targets that are multiples of 1/4, as many samples as a power of two: nothing rounds."""
        if quantity in CLASSIFYING:
            logits = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(32, 1)
            data = Data(logits, torch.tensor([0, 1, 1, 0]).repeat(16))
            if quantity is cross_entropy:
                data = Data(torch.tensor([[0.0, -1e3]]).repeat(64, 1), torch.zeros(64, dtype=torch.int64))
        else:
            data = Data(torch.tensor([[0.25], [1.75]]).repeat(32, 1), torch.tensor([[0.5], [2.0]]).repeat(32, 1))
            if quantity is std_of_outputs:
                data = Data(torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(3, 1))
        assert data.measure(quantity).value == of_torch(quantity, data)


class TestWhatIsNoClass:
    @pytest.mark.parametrize("quantity", CLASSIFYING, ids=lambda quantity: quantity.name)
    @pytest.mark.parametrize(
        ("shape", "targets", "told"),
        [
            ((3, 1), [0, 1, 1], "outputs of shape (3, 1) are not one logit for each of two classes or more"),
            ((3,), [0, 1, 1], "outputs of shape (3,) are not one logit"),
            ((3, 2, 5), [0, 1, 1], "outputs of shape (3, 2, 5) are not one logit"),
            ((3, 2), [[0], [1], [1]], "targets of shape (3, 1) are not one class for each of 3 samples"),
            ((3, 2), [0, -1, -100], "2 of 3 targets, such as -1, are no class of 0 to 1"),
            ((3, 2), [0, 2, 1], "1 of 3 targets, such as 2, are no class"),
            ((3, 2), [0.5, 0, 1], "1 of 3 targets, such as 0.5, are no class"),
            ((3, 2), [0, 1, math.nan], "1 of 3 targets, such as nan, are no class"),
        ],
    )
    def test_is_not_judged(self, quantity, shape, targets, told):
        with pytest.raises(ValueError, match=re.escape(told)):
            quantity(np.zeros(shape), np.array(targets, dtype=np.float64), FLOAT32)


class TestWhatIsNotANumber:
    @by_name
    def test_of_no_samples_there_is_none(self, quantity):
        empty = quantity(np.zeros((0, 3)), np.zeros(0), FLOAT32)
        assert math.isnan(empty.value)

    @by_name
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_one_bad_output_gives_what_torch_gives_and_no_warning(self, quantity, value):
        data = data_for(quantity, 64)
        data.outputs[3, 0] = value
        measured = data.measure(quantity)
        assert not math.isnan(measured.bound)
        if quantity is auroc_macro and value != -math.inf:  # where torchmetrics sorts scores that are NaN
            assert math.isnan(measured.value)
        else:
            assert measured.admits(of_torch(quantity, data))

    def test_an_impossible_class_that_occurs_costs_infinitely_much(self):
        data = classified(64)
        data.outputs[3, data.targets[3]] = -math.inf
        assert data.measure(cross_entropy).value == math.inf == of_torch(cross_entropy, data)

    def test_infinities_of_both_signs_have_no_mean(self):
        data = Data(torch.tensor([[math.inf], [-math.inf]]), torch.zeros(2, 1))
        assert math.isnan(data.measure(mean_of_outputs).value)

    def test_a_sum_beyond_float64_is_infinite(self):
        data = Data(torch.full((4, 1), 1e308, dtype=torch.float64), torch.zeros(4, 1))
        assert data.measure(mean_of_outputs).value == math.inf

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_is_admitted_only_by_its_like(self, value):
        observed = [math.nan, math.inf, -math.inf, 0.0]
        admitted = [each for each in observed if Measured(value, 1.0).admits(each)]
        assert repr(admitted) == repr([value])

    @pytest.mark.parametrize("observed", [math.nan, math.inf, -math.inf])
    def test_is_not_admitted_by_a_number(self, observed):
        assert not Measured(1.0, 1e300).admits(observed)


def values(prediction, quantity: Quantity, *epochs: list[Batch]) -> float:
    return prediction(quantity, epochs).value


def made(make, *arguments):
    """What `make` gives when it is called, and not when tests are collected: a mistake may be planted in between."""
    return lambda quantity, epochs: make(*arguments)(quantity, epochs)


RAGGED_IDS = ((0, 1), (2, 3, 4), (5,), (6,))
ONE_EPOCHS = (
    over_the_epoch, mean_of_batch_means, weighted_by_batch_size, weighted_on_rank_zero, weighted_with_truncated_count,
    weighted_without_nan, last_batch, made(since_resuming, over_the_epoch),
)  # fmt: skip


def ragged() -> list[Batch]:
    """Batches of 2, 3, 1 and 1 samples, whose outputs are their number."""
    return [Batch(ids, np.full((len(ids), 1), float(i)), np.zeros((len(ids), 1))) for i, ids in enumerate(RAGGED_IDS)]


def numbered(count: int) -> list[Batch]:
    """Batches of one sample, whose output is its number."""
    return [Batch((i,), np.array([[float(i)]]), np.zeros((1, 1))) for i in range(count)]


@pytest.mark.parametrize("quantity", MEANS, ids=lambda quantity: quantity.name)
class TestAMeanOverVeryManySamples:
    """Of which a sum in any order might be off by a thousandth."""

    SIZES = (*(256 for _ in range(78)), 32)

    def test_is_bounded_by_sums_over_batches(self, quantity):
        data = data_for(quantity, sum(self.SIZES))
        truth = over_the_epoch(quantity, [data.batches(*self.SIZES)])
        assert truth.value == data.measure(quantity).value
        assert truth.bound < 1e-4 * abs(truth.value) < data.measure(quantity).bound

    def test_in_a_single_batch_is_bounded_by_a_sum_in_any_order(self, quantity):
        data = data_for(quantity, sum(self.SIZES))
        assert over_the_epoch(quantity, [data.batches(sum(self.SIZES))]) == data.measure(quantity)

    def test_admits_what_torch_makes_of_batches_and_of_all_at_once(self, quantity):
        data = data_for(quantity, sum(self.SIZES))
        truth = over_the_epoch(quantity, [data.batches(*self.SIZES)])
        batches = zip(data.outputs.split(self.SIZES), data.targets.split(self.SIZES), strict=True)
        summed = torch.zeros(())
        for outputs, targets in batches:
            summed += torch.tensor(of_torch(quantity, Data(outputs, targets))) * len(outputs)
        assert truth.admits((summed / sum(self.SIZES)).item())
        assert truth.admits(of_torch(quantity, data))


class TestPredictions:
    @by_name
    @reproducible
    @given(seed=seeds, split=st.randoms(use_true_random=False))
    def test_the_truth_does_not_depend_on_order_or_batches(self, quantity, seed, split):
        data = data_for(quantity, 60, seed=seed)
        order = torch.tensor(split.sample(range(60), 60))
        shuffled = Data(data.outputs[order], data.targets[order])
        truth = over_the_epoch(quantity, [data.batches(60)])
        again = over_the_epoch(quantity, [shuffled.batches(1, 7, 20, 32)])
        assert again.value == pytest.approx(truth.value, rel=1e-14, abs=1e-15)
        assert again.bound == pytest.approx(truth.bound, rel=1e-9)

    @by_name
    @pytest.mark.parametrize("prediction", [mean_of_batch_means, weighted_by_batch_size, last_batch])
    def test_of_one_batch_all_are_the_truth(self, quantity, prediction):
        epoch = data_for(quantity, 30).batches(30)
        assert values(prediction, quantity, epoch) == pytest.approx(values(over_the_epoch, quantity, epoch), rel=1e-15)

    @pytest.mark.parametrize("quantity", MEANS, ids=lambda quantity: quantity.name)
    @pytest.mark.parametrize("prediction", [mean_of_batch_means, weighted_by_batch_size])
    def test_a_mean_over_even_batches_is_the_truth(self, quantity, prediction):
        epoch = data_for(quantity, 60).batches(20, 20, 20)
        assert over_the_epoch(quantity, [epoch]).admits(values(prediction, quantity, epoch))

    @pytest.mark.parametrize("quantity", MEANS, ids=lambda quantity: quantity.name)
    def test_a_mean_weighted_by_ragged_batch_sizes_is_the_truth(self, quantity):
        epoch = data_for(quantity, 60).batches(1, 19, 40)
        assert over_the_epoch(quantity, [epoch]).admits(values(weighted_by_batch_size, quantity, epoch))

    @pytest.mark.parametrize("quantity", MEANS, ids=lambda quantity: quantity.name)
    @reproducible
    @given(seed=seeds)
    def test_the_mean_of_ragged_batch_means_is_off_by_the_covariance_with_size(self, quantity, seed):
        """Mean of m_i less sum of k_i m_i / n is -cov(k, m) / mean(k), over batches of sizes k and means m."""
        parts = np.array([7, 20, 33])
        epoch = data_for(quantity, 60, seed=seed).batches(*parts)
        means = np.array([values(over_the_epoch, quantity, [batch]) for batch in epoch])
        bias = values(mean_of_batch_means, quantity, epoch) - values(over_the_epoch, quantity, epoch)
        expected = -np.mean((parts - parts.mean()) * (means - means.mean())) / parts.mean()
        assert bias == pytest.approx(expected, rel=1e-9, abs=1e-14)

    @pytest.mark.parametrize("quantity", NOT_MEANS, ids=lambda quantity: quantity.name)
    def test_no_mean_over_batches_is_a_figure_that_is_no_mean(self, quantity):
        epoch = data_for(quantity, 60).batches(20, 20, 20)
        assert not over_the_epoch(quantity, [epoch]).admits(values(weighted_by_batch_size, quantity, epoch))

    def test_the_last_batch_stands_alone(self):
        data = regressed(60)
        tail = Data(data.outputs[40:], data.targets[40:])
        assert values(last_batch, mean_of_outputs, data.batches(20, 20, 20)) == tail.measure(mean_of_outputs).value

    def test_a_metric_that_is_never_reset_holds_all_epochs(self):
        data = regressed(60)
        first, *others = data.batches(30, 20, 10)
        assert values(all_epochs_so_far, std_of_outputs, [first], others) == data.measure(std_of_outputs).value

    def test_a_metric_that_is_never_updated_is_zero_and_nothing_else(self):
        shown = never_updated(mean_of_outputs, [regressed(60).batches(60)])
        assert (shown.value, shown.bound) == (0.0, 0.0)

    @pytest.mark.parametrize("prediction", ONE_EPOCHS)
    def test_earlier_epochs_do_not_matter(self, prediction):
        first, second = regressed(60).batches(30, 30)
        alone = prediction(mean_of_outputs, [[second]])
        assert prediction(mean_of_outputs, [[first], [second]]) == alone

    def test_the_progress_bars_window_spans_epochs(self):
        batches = numbered(30)
        shown = mean_of_last_20_batches(mean_of_outputs, [batches[:15], batches[15:]])
        assert shown.value == np.mean(range(10, 30))

    def test_windows_span_epochs_and_what_is_left_over_is_not_reported(self):
        batches = numbered(7)
        first = every_n_batches(3)(mean_of_outputs, [batches[:4]])
        second = every_n_batches(3)(mean_of_outputs, [batches[:4], batches[4:]])
        assert (first.value, second.value) == (np.mean([0, 1, 2]), np.mean([3, 4, 5]))

    def test_windows_are_weighted_by_the_batch_they_end_with(self):
        weighted = every_n_batches(2)(mean_of_outputs, [ragged()])
        assert weighted.value == (3 * 0.5 + 1 * 2.5) / 4

    @pytest.mark.parametrize("prediction", [made(every_n_batches, 3), made(exponential_mean, 3, 0.5)])
    def test_an_epoch_in_which_no_window_ends_reports_nothing(self, prediction):
        assert prediction(mean_of_outputs, [numbered(3), numbered(2)]) is None

    def test_a_smoothed_window_keeps_alpha_of_those_before(self):
        smoothed = exponential_mean(2, 0.75)(mean_of_outputs, [numbered(4)])
        assert smoothed.value == (0.5 + (0.75 * 0.5 + 0.25 * 2.5)) / 2

    def test_smoothed_windows_are_weighted_by_the_batch_they_end_with(self):
        smoothed = exponential_mean(2, 0.75)(mean_of_outputs, [ragged()])
        assert smoothed.value == (3 * 0.5 + 1 * (0.75 * 0.5 + 0.25 * 2.5)) / 4

    def test_without_alpha_windows_are_not_smoothed(self):
        epochs = [numbered(5), numbered(4)]
        smoothed, plain = (predict(mean_of_outputs, epochs) for predict in (exponential_mean(2, 0), every_n_batches(2)))
        assert smoothed.value == plain.value

    def test_rank_zero_knows_of_its_own_batches_only(self):
        batches = [replace(batch, rank=i % 2) for i, batch in enumerate(ragged())]
        assert values(weighted_on_rank_zero, mean_of_outputs, batches) == (2 * 0 + 1 * 2) / (2 + 1)

    def test_a_number_of_samples_that_ranks_do_not_divide_is_cut_off(self):
        """Two ranks of 7 samples count 3 each."""
        batches = [replace(batch, rank=i % 2) for i, batch in enumerate(ragged())]
        shown = values(weighted_with_truncated_count, mean_of_outputs, batches)
        assert shown == pytest.approx((2 * 0 + 3 * 1 + 1 * 2 + 1 * 3) / (3 + 3), rel=1e-15)

    @pytest.mark.parametrize(
        ("prediction", "factor"),
        [
            (mean_of_batch_means, 1),
            (weighted_by_batch_size, 1),
            (weighted_on_rank_zero, 1),
            (weighted_with_truncated_count, 7 / 6),
            (weighted_without_nan, 1),
            (mean_of_last_20_batches, 1),
            (made(every_n_batches, 2), 1),
            (made(exponential_mean, 2, 0.75), 1),
        ],
    )
    def test_errors_of_batches_are_carried(self, prediction, factor):
        """If each may be off by 1/4, so may their mean."""
        vague = Quantity("vague", lambda outputs, *_: Measured(float(outputs.mean()), 0.25))
        batches = [replace(batch, rank=i % 2) for i, batch in enumerate(ragged())]
        assert prediction(vague, [batches]).bound == pytest.approx(0.25 * factor, rel=1e-5)

    def test_a_batch_that_is_nan_is_left_out_with_its_weight(self):
        first, second, *others = ragged()
        bad = replace(second, outputs=np.array([[1.0], [math.nan], [1.0]]))
        shown = values(weighted_without_nan, mean_of_outputs, [first, bad, *others])
        assert shown == (2 * 0 + 1 * 2 + 1 * 3) / (2 + 1 + 1)

    def test_of_a_resumed_epoch_only_the_batches_since_then_are_known(self):
        batches = [replace(batch, fit=fit) for batch, fit in zip(ragged(), (0, 1, 2, 2), strict=True)]
        assert values(since_resuming(mean_of_batch_means), mean_of_outputs, batches) == (2 + 3) / 2

    def test_what_spans_epochs_begins_anew_when_one_is_resumed(self):
        cut_off, resumed = numbered(3), [replace(batch, fit=1) for batch in numbered(2)]
        epochs = [numbered(5), [*cut_off, *resumed]]
        assert since_resuming(all_epochs_so_far)(mean_of_outputs, epochs).value == (0 + 1) / 2

    @pytest.mark.parametrize("prediction", [*ONE_EPOCHS, all_epochs_so_far, mean_of_last_20_batches])
    def test_an_epoch_without_batches_has_no_figure(self, prediction):
        assert math.isnan(values(prediction, mean_of_outputs, []))

    def test_float64_outputs_are_still_added_up_in_float32(self):
        data = regressed(30)
        in_float64 = [Batch(tuple(range(30)), *data.arrays, dtype="float64")]
        assert over_the_epoch(mean_of_outputs, [in_float64]) == over_the_epoch(mean_of_outputs, [data.batches(30)])


def added_up(terms: Iterable[float]) -> np.float32:
    """One after the other, in float32, from the largest on: no order errs more easily."""
    result = np.float32(0)
    for term in sorted(terms, reverse=True):
        result += np.float32(term)
    return result


def averaged(terms: Sequence[float]) -> np.float32:
    return added_up(terms) / np.float32(len(terms))


def outputs_of(batches: Iterable[Batch]) -> list[float]:
    return [output for batch in batches for output in batch.outputs.reshape(-1).tolist()]


def each(batches: Iterable[Batch]) -> list[np.float32]:
    return [averaged(outputs_of([batch])) for batch in batches]


def by_size(parts: Sequence[np.float32], batches: Sequence[Batch], samples: int | None = None) -> np.float32:
    sizes = [len(batch.ids) for batch in batches]
    weighted = [part * np.float32(size) for part, size in zip(parts, sizes, strict=True)]
    return added_up(weighted) / np.float32(samples or sum(sizes))


def windows_of_4(epochs: Sequence[Sequence[Batch]], alpha: float = 0.0) -> np.float32:
    """Of an epoch of 13 batches and one of 17: windows end in the 16th, 20th, 24th and 28th batch of all."""
    batches = [*epochs[0], *epochs[1]]
    logged = [averaged(each(batches[end - 4 : end])) for end in range(4, 29, 4)]
    for i, window in enumerate(logged[1:], 1):
        logged[i] = np.float32(alpha) * logged[i - 1] + np.float32(1 - alpha) * window
    return by_size(logged[3:], batches[15:28:4])


@pytest.mark.parametrize(
    ("prediction", "replayed"),
    [
        (over_the_epoch, lambda epochs: averaged(outputs_of(epochs[1]))),
        (mean_of_batch_means, lambda epochs: averaged(each(epochs[1]))),
        (weighted_by_batch_size, lambda epochs: by_size(each(epochs[1]), epochs[1])),
        (weighted_on_rank_zero, lambda epochs: by_size(each(epochs[1][::2]), epochs[1][::2])),
        (weighted_with_truncated_count, lambda epochs: by_size(each(epochs[1]), epochs[1], samples=2 * 30)),
        (weighted_without_nan, lambda epochs: by_size(each(epochs[1]), epochs[1])),
        (last_batch, lambda epochs: averaged(outputs_of(epochs[1][-1:]))),
        (all_epochs_so_far, lambda epochs: averaged(outputs_of([*epochs[0], *epochs[1]]))),
        (mean_of_last_20_batches, lambda epochs: averaged(each([*epochs[0][-3:], *epochs[1]]))),
        (made(every_n_batches, 4), windows_of_4),
        (made(exponential_mean, 4, 0.9), lambda epochs: windows_of_4(epochs, alpha=0.9)),
        (made(since_resuming, mean_of_batch_means), lambda epochs: averaged(each(epochs[1][5:]))),
    ],
)  # fmt: skip
class TestPredictionsInFloat32:
    """The same arithmetic on two epochs: of 13 batches, and of 17 on two ranks, resumed after 5."""

    @pytest.fixture
    def epochs(self):
        generator = np.random.default_rng(0)

        def batch(size, **more):
            outputs = generator.uniform(1, 2, (size, 1)).astype(np.float32).astype(np.float64)
            return Batch(tuple(range(size)), outputs, np.zeros((size, 1)), **more)

        sizes = [1 + i % 3 for i in range(13)], [*(1 + i % 4 for i in range(16)), 21]  # 25, and 61 samples
        return [batch(size) for size in sizes[0]], [
            batch(size, rank=i % 2, fit=i >= 5) for i, size in enumerate(sizes[1])
        ]

    def test_is_admitted(self, epochs, prediction, replayed):
        assert prediction(mean_of_outputs, epochs).admits(float(replayed(epochs)))

    def test_is_not_admitted_with_an_error_of_a_ten_thousandth(self, epochs, prediction, replayed):
        assert not prediction(mean_of_outputs, epochs).admits(float(replayed(epochs)) * 1.0001)


class TestMeasured:
    @pytest.mark.parametrize(("observed", "admitted"), [(1.5, True), (0.5, True), (1.75, False), (0.25, False)])
    def test_admits_what_lies_within_its_bound(self, observed, admitted):
        assert Measured(1.0, 0.5).admits(observed) is admitted

    @pytest.mark.parametrize("digits", [3, 5])
    @given(value=st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6))
    @reproducible
    def test_admits_what_is_shown_with_fewer_digits(self, digits, value):
        assert Measured(value, 0.0).shown(digits).admits(float(f"{value:.{digits}g}"))

    def test_shown_with_fewer_digits_it_admits_half_a_unit_of_the_last_one(self):
        assert not Measured(0.12345, 0.0).shown(3).admits(0.124)

    @pytest.mark.parametrize("value", [0.0, math.inf, -math.inf])
    def test_what_has_no_digits_loses_none(self, value):
        assert Measured(value, 0.1).shown(3) == Measured(value, 0.1)

    def test_shown_with_all_digits_it_is_as_it_was(self):
        assert Measured(0.12345, 0.1).shown(0) == Measured(0.12345, 0.1)

    def test_there_is_no_bound_for_more_roundings_than_the_precision_has_numbers(self):
        assert gamma(2**8, BFLOAT16) == math.inf

    def test_gamma_is_n_u_over_one_less_n_u(self):
        assert gamma(3, 2.0**-10) == pytest.approx(3 / (1024 - 3), rel=1e-15)

    @pytest.mark.parametrize(
        ("u", "dtype"), [(BFLOAT16, "bfloat16"), (FLOAT16, "float16"), (FLOAT32, "float32"), (FLOAT64, "float64")]
    )
    def test_a_roundoff_is_half_the_distance_from_one_to_the_next_number(self, u, dtype):
        assert u == torch.finfo(getattr(torch, dtype)).eps / 2

    @pytest.mark.parametrize(
        ("u", "added_up_with"), [(FLOAT64, FLOAT64), (FLOAT32, FLOAT32), (FLOAT16, FLOAT32 + FLOAT64)]
    )
    def test_nothing_is_added_up_in_less_than_float32(self, u, added_up_with):
        assert accumulation(u) == added_up_with

    @pytest.mark.parametrize(
        ("u", "lost"),
        [
            (FLOAT16, np.finfo(np.float16).smallest_subnormal),
            (BFLOAT16, torch.finfo(torch.bfloat16).smallest_normal),
            (FLOAT32, np.finfo(np.float32).smallest_normal),
        ],
        ids=["float16", "bfloat16", "float32"],
    )
    @pytest.mark.parametrize("reference", [0.0, FLOAT64])
    def test_what_is_too_small_may_be_lost(self, u, lost, reference):
        assert underflow(u + reference) == lost

    @pytest.mark.parametrize(
        ("terms", "exact"),
        [([1.0, 1e100, 1.0, -1e100], 2.0), ([1e308, 1e308], math.inf), ([1.0, -math.inf], -math.inf), ([], 0.0)],
    )
    def test_a_sum_is_rounded_once(self, terms, exact):
        assert total(terms) == exact

    def test_a_mean_counts_every_term_alike(self):
        assert mean([1.0, 2.0, 6.0], [0.0] * 3, FLOAT32).value == 3.0

    def test_a_weighted_mean_counts_them_by_weight(self):
        assert weighted_mean([Measured(1.0, 0.0), Measured(3.0, 0.0)], [1, 3], FLOAT32).value == 2.5

    @pytest.mark.parametrize(("square", "bound", "lowest"), [(0.25, 0.09, 0.4), (0.25, 0.25, 0.0), (0.25, 9.0, 0.0)])
    def test_a_root_is_off_by_what_the_lowest_square_makes_of_it(self, square, bound, lowest):
        taken = root(Measured(square, bound), 0.0)
        assert taken.value == 0.5
        assert taken.bound == pytest.approx(bound / (0.5 + lowest))

    def test_a_root_of_an_infinite_square_is_infinite(self):
        assert root(Measured(math.inf, 0.0), FLOAT32) == Measured(math.inf, 0.0)

    def test_a_weighted_mean_with_an_infinite_part_is_infinite(self):
        assert weighted_mean([Measured(math.inf, 0.0)], [1], FLOAT32) == Measured(math.inf, 0.0)

    def test_a_root_of_nothing_may_be_as_large_as_that_of_the_bound(self):
        assert root(Measured(0.0, 0.04), FLOAT32) == Measured(0.0, pytest.approx(0.2))

    def test_errors_of_terms_are_carried_into_the_mean(self):
        assert mean([1.0, 1.0], [0.5, 0.25], 0.0).bound == pytest.approx(0.375)

    def test_errors_of_parts_are_carried_by_weight(self):
        parts = [Measured(1.0, 0.5), Measured(1.0, 0.0)]
        assert weighted_mean(parts, [1, 3], 0.0).bound == pytest.approx(0.125)

    def test_no_weight_at_all_gives_no_mean(self):
        assert math.isnan(weighted_mean([Measured(1.0, 0.0)], [0], FLOAT32).value)

    @given(value=st.floats(0, 1e6), bound=st.floats(0, 1e6), share=st.floats(-1, 1))
    @reproducible
    def test_the_root_admits_the_root_of_whatever_the_square_admits(self, value, bound, share):
        assert root(Measured(value, bound), FLOAT64).admits(math.sqrt(max(value + share * bound, 0.0)))
