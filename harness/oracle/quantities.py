"""What can be aggregated: each quantity maps predictions and targets of a set of samples to its true value.

`outputs` are the numbers the model really gave (recorded in its own precision, exact in float64), `targets`
those of the workload. NumPy only, because scenario files import this module inside trials; the tests hold
every quantity against SciPy and scikit-learn, and against torch and torchmetrics.

Elementary functions (exp, log) are taken to err by 2 units in the last place, 4 u, at most, which is what
Sleef (torch on CPUs, 1 ulp), CUDA's math library (*CUDA C++ Programming Guide*, "Mathematical functions":
expf 1 ulp, logf 1 ulp) and Eigen promise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.oracle.measured import FLOAT32, FLOAT64, Measured, accumulation, gamma, mean, root, total, underflow

Array = NDArray[np.float64]

# torchmetrics divides counts in float32, whatever precision the outputs have.
COUNTS = FLOAT32 + FLOAT64


@dataclass(frozen=True)
class Quantity:
    """A named figure over samples.

    Attributes:
        measure: `(outputs, targets, u) -> Measured`, with `outputs` of shape (n, ...) and `targets` of shape
            (n, ...), both float64, and `u` the unit roundoff to allow for. Where they hold NaN or infinities,
            the value is what the definition gives, without a warning; of no samples it is NaN.
        is_a_mean: over samples, so that an epoch's is the mean of its batches', weighted by their numbers of samples.
            Its bound may then be that of sums over batches, which for very many samples is far less than that of a
            sum in any order.

    Example::

        def hinge(outputs, targets, u):
            margins = np.maximum(0.0, 1.0 - outputs[:, 0] * targets)
            return mean(margins.tolist(), (3 * u * (1.0 + np.abs(outputs[:, 0]))).tolist(), u)

        hinge_loss = Quantity("hinge loss", hinge)
    """

    name: str
    measure: Callable[[Array, Array, float], Measured]
    is_a_mean: bool = False

    def __call__(self, outputs: Array, targets: Array, u: float) -> Measured:
        """Measure in float64, with a bound on the error of a framework that computes with unit roundoff `u`.

        The reference errs too: a bound for u + 2**-53 covers both.
        """
        if len(outputs) == 0:
            return Measured(math.nan, 0.0)
        with np.errstate(all="ignore"):
            return self.measure(outputs, targets, u + FLOAT64)


def _class_numbers(logits: Array, targets: Array) -> NDArray[np.int64]:
    """The targets, as the columns of the logits that they name.

    Raises:
        ValueError: there are no logits of two classes or more, or no such target for each sample.
    """
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"outputs of shape {logits.shape} are not one logit for each of two classes or more")
    samples, classes = logits.shape
    if targets.shape != (samples,):
        raise ValueError(f"targets of shape {targets.shape} are not one class for each of {samples} samples")
    others = targets[~np.isin(targets, np.arange(classes))]
    if others.size:
        told = f"{others.size} of {samples} targets, such as {others[0]:g}"
        raise ValueError(f"{told}, are no class of 0 to {classes - 1}")
    return targets.astype(np.int64)


def _below_largest(logits: Array) -> Array:
    """z - max(z) per sample, as every softmax and log-softmax begins, so that no exponential overflows."""
    below: Array = logits - logits.max(axis=1, keepdims=True)
    return below


def _cross_entropy(logits: Array, targets: Array, u: float) -> Measured:
    """log S - d[target] per sample, with d = z - max(z) <= 0 and S = sum(exp(d)) >= 1, over K classes.

    The rounding of d is worth at most exp(d) abs(d) u <= u / e in each exponential but the largest's, which
    is exact; with 4 u for each exponential and K - 1 additions, S errs by less than (2 K + 4) u, relative,
    and log S by as much, absolute, plus its own 4 u. d[target] and the last subtraction add u each. Both
    log S and abs(d[target]) are at most the loss. torch subtracts in this order, on CPUs and on GPUs
    (`aten/src/ATen/native/cpu/SoftMaxKernel.cpp` says why; `cuda/PersistentSoftmax.cuh`). In half precision
    it adds up S in float32, and may round the exponentials, S, log S, d[target] and the result to half.
    """
    true = _class_numbers(logits, targets)
    classes = logits.shape[1]
    below = _below_largest(logits)
    losses = np.log(np.exp(below).sum(axis=1)) - below[np.arange(len(below)), true]
    inner = accumulation(u)
    errors = gamma(2 * classes + 4, inner) + 2 * u + (gamma(8, inner) + 3 * u) * losses
    return mean(losses.tolist(), errors.tolist(), u)


def _accuracy(logits: Array, targets: Array, u: float) -> Measured:
    """The share of samples whose largest logit, the first of equal ones, is their class's. NaN counts as the
    largest, as for torch and NumPy. Hits are exact: only their mean rounds."""
    true = _class_numbers(logits, targets)
    hits = (logits.argmax(axis=1) == true).astype(np.float64)
    return mean(hits.tolist(), [0.0] * len(hits), COUNTS)


def _class_distance(logits: Array, targets: Array, u: float) -> Measured:
    """How far the predicted class number lies from the true one: integers, so that only their mean rounds."""
    true = _class_numbers(logits, targets)
    distances = np.abs(logits.argmax(axis=1) - true)
    return mean(distances.tolist(), [0.0] * len(distances), COUNTS)


def _f1_macro(logits: Array, targets: Array, u: float) -> Measured:
    """Mean of 2 tp / (2 tp + fp + fn) over the classes that occur in targets or predictions (so do
    scikit-learn, and torchmetrics from 0.11 on; others have no F1).

    Counts are exact, each class rounds once, K - 1 additions and a division follow, and 2 roundings if the
    result is logged as a mean.
    """
    true = _class_numbers(logits, targets)
    predicted, classes = logits.argmax(axis=1), logits.shape[1]
    hits = np.bincount(true[predicted == true], minlength=classes)
    occurrences = np.bincount(predicted, minlength=classes) + np.bincount(true, minlength=classes)
    occurs = occurrences > 0
    scores = 2 * hits[occurs] / occurrences[occurs]
    value = total(scores.tolist()) / len(scores)
    return Measured(value, gamma(classes + 3, COUNTS) * value)


def _auroc_macro(logits: Array, targets: Array, u: float) -> Measured:
    """Mean over classes of the one-versus-rest area under the ROC curve of the softmax scores: the share of
    (positive, negative) pairs in the right order, ties counting half.

    As torchmetrics 0.11 to 1.9 define it: a class without a positive or without a negative sample counts
    as 0, and outputs that all lie in [0, 1] are taken for scores as they are. It looks at each update alone:
    where some batches of logits happen to lie in [0, 1] and others do not, it mixes logits with scores, and
    its figure is not this one. The area of scores that are NaN is NaN.

    The error is the share of pairs whose scores, as rounded, may come in another order, plus that of a
    trapezoidal sum: coordinates rounded to u, monotone and at most 1, move the area by u each, each of at
    most n terms is rounded 3 times and added up. A score exp(d) / S errs by expm1(u abs(d)) for the rounding
    of d, by less than (2 K + 10) u for the rest as in the cross-entropy, relative, and by an underflow;
    equal rows have equal scores.
    """
    true = _class_numbers(logits, targets)
    n, classes = logits.shape
    if logits.min() >= 0 and logits.max() <= 1:
        scores, errors = logits, np.zeros_like(logits)
    else:
        below = _below_largest(logits)
        scores = np.exp(below) / np.exp(below).sum(axis=1, keepdims=True)
        inner = accumulation(u)
        relative = np.expm1(inner * -below) + gamma(2 * classes + 10, inner) + 3 * u
        errors = np.where(scores > 0, scores * relative, 0.0) + underflow(u)
    if np.isnan(scores).any():
        return Measured(math.nan, 0.0)
    _, row = np.unique(logits, axis=0, return_inverse=True)
    row = row.reshape(-1)  # NumPy 2.0 alone gives it another shape
    rounding = gamma(n + 8, COUNTS)
    areas, bounds = [], []
    for label in range(classes):
        positive = true == label
        pairs = int(positive.sum()) * int((~positive).sum())
        if pairs == 0:
            areas.append(0.0)
            bounds.append(0.0)
            continue
        p, q = scores[positive, label], scores[~positive, label]
        above = _pairs_above(p, q)
        p_error, q_error = errors[positive, label], errors[~positive, label]
        surely_above = _pairs_above(p - p_error, q + q_error, ties=0.0)
        perhaps_above = _pairs_above(p + p_error, q - q_error, ties=1.0)
        same_row = int((np.bincount(row[positive], minlength=n) * np.bincount(row[~positive], minlength=n)).sum())
        # Without errors the pairs in doubt are the ties, which are no doubt at all.
        doubtful = perhaps_above - surely_above - same_row if errors.any() else 0.0
        areas.append(above / pairs)
        bounds.append(doubtful / pairs + rounding)
    return mean(areas, bounds, COUNTS)


def _pairs_above(p: Array, q: Array, ties: float = 0.5) -> float:
    """The number of pairs with p > q; one with p == q counts as `ties`."""
    q = np.sort(q)
    above, not_below = np.searchsorted(q, p, side="left").sum(), np.searchsorted(q, p, side="right").sum()
    return float(above + ties * (not_below - above))


def _mean_squared_error(outputs: Array, targets: Array, u: float) -> Measured:
    """Per element one subtraction, relative u twice in the square, and one product."""
    squares = np.square(outputs.reshape(-1) - targets.reshape(-1))
    return mean(squares.tolist(), (gamma(3, u) * squares).tolist(), u)


def _root_mean_squared_error(outputs: Array, targets: Array, u: float) -> Measured:
    return root(_mean_squared_error(outputs, targets, u), u)


def _mean_of_outputs(outputs: Array, targets: Array, u: float) -> Measured:
    """Over all elements. The bound is relative to the mean of abs(outputs), because terms may cancel."""
    terms = outputs.reshape(-1).tolist()
    return mean(terms, [0.0] * len(terms), u)


def _std_of_outputs(outputs: Array, targets: Array, u: float) -> Measured:
    """Sample standard deviation s (n - 1) over all elements; NaN of fewer than two.

    With r the root of the mean square: a two-pass computation takes deviations from a mean that errs by
    gamma(n) r at most, which adds its square to the variance, and a sum of squares errs by gamma(n + 3)
    relative. An updating one (Welford's, as torch's, and merged in any order) lets the running mean's error,
    below 0.65 n u r, into both factors of every term: 2 gamma(n) s r on the variance, which is the bound
    n u kappa, kappa = r / s, of Chan, Golub & LeVeque (*The American Statistician* 37, 1983, table 1) with
    its constant. The bound below, 2 gamma s r + (gamma r)^2, covers either. The textbook formula (mean of
    squares less square of the mean) is covered in float64 only: in float32 it cancels.
    """
    flat = outputs.reshape(-1)
    n = len(flat)
    if n < 2 or not np.isfinite(flat).all():
        return Measured(math.nan, 0.0)
    centre = total(flat.tolist()) / n
    variance = total(np.square(flat - centre).tolist()) / (n - 1)
    carried = gamma(n + 5, accumulation(u)) * math.sqrt(centre**2 + variance)
    return root(Measured(variance, 2 * carried * math.sqrt(variance) + carried**2 + underflow(u)), u)


cross_entropy = Quantity("cross-entropy", _cross_entropy, is_a_mean=True)
accuracy = Quantity("accuracy", _accuracy, is_a_mean=True)
class_distance = Quantity("mean absolute error of the class number", _class_distance, is_a_mean=True)
f1_macro = Quantity("F1 (macro)", _f1_macro)
auroc_macro = Quantity("AUROC (macro)", _auroc_macro)
mean_squared_error = Quantity("mean squared error", _mean_squared_error, is_a_mean=True)
root_mean_squared_error = Quantity("root mean squared error", _root_mean_squared_error)
mean_of_outputs = Quantity("mean of outputs", _mean_of_outputs, is_a_mean=True)
std_of_outputs = Quantity("standard deviation of outputs", _std_of_outputs)
