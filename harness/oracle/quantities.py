"""What can be aggregated: each quantity maps predictions and targets of a set of samples to its true value.

`outputs` are the numbers the model really gave (recorded in its own precision, exact in float64), `targets`
those of the workload. SciPy and scikit-learn are imported where they are used, because scenario files import
this module inside trials, where only NumPy is at hand.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.oracle.measured import Measured, gamma, mean

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """A named figure over samples.

    Attributes:
        measure: `(outputs, targets, u) -> Measured`, with `outputs` of shape (n, ...) and `targets` of shape
            (n, ...), both float64, and `u` the unit roundoff of the precision the framework computes in.

    Example::

        def hinge(outputs, targets, u):
            margins = np.maximum(0.0, 1.0 - outputs[:, 0] * targets)
            return mean(margins.tolist(), (3 * u * (1.0 + np.abs(outputs[:, 0]))).tolist(), u)

        hinge_loss = Quantity("hinge loss", hinge)
    """

    name: str
    measure: Callable[[Array, Array, float], Measured]

    def __call__(self, outputs: Array, targets: Array, u: float) -> Measured:
        return self.measure(outputs, targets, u)


def _cross_entropy(logits: Array, targets: Array, u: float) -> Measured:
    """logsumexp(z) - z[target] per sample.

    Per sample, with m = max|z| and K classes: shifting by the maximum errs by u each (at most 2 m u in an
    exponent, the same again relative in the sum), the K exponentials and their sum by (K + 2) u relative,
    the logarithm and the last two subtractions by u of at most 2 m + log K each.
    """
    from scipy.special import logsumexp

    classes = logits.shape[1]
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), targets.astype(np.int64)]
    largest = np.abs(logits).max(axis=1, initial=0.0)
    errors = u * ((classes + 2) + 3 * (2 * largest + math.log(classes)) + 2 * largest)
    return mean(losses.tolist(), errors.tolist(), u)


def _accuracy(logits: Array, targets: Array, u: float) -> Measured:
    """Counts are exact; one division rounds."""
    if len(logits) == 0:
        return Measured(math.nan, 0.0)
    value = int((logits.argmax(axis=1) == targets).sum()) / len(logits)
    return Measured(value, 2 * u * value)


def _f1_macro(logits: Array, targets: Array, u: float) -> Measured:
    """Mean over the classes that occur in targets or predictions; counts are exact, each class rounds 3 times."""
    from sklearn.metrics import f1_score

    if len(logits) == 0:
        return Measured(math.nan, 0.0)
    value = float(f1_score(targets, logits.argmax(axis=1), average="macro", zero_division=0))
    return Measured(value, gamma(logits.shape[1] + 4, u) * value)


def _auroc_macro(logits: Array, targets: Array, u: float) -> Measured:
    """Mean over classes of the one-versus-rest area under the ROC curve of the softmax scores.

    A class without a positive (or without a negative) sample counts as 0, which is what torchmetrics 0.11 to
    1.9 does, with a warning. The area is a share of (positive, negative) pairs in the right order, so its
    error is the share of pairs whose scores lie closer than the softmax's rounding, plus that of adding up a
    curve of at most n + 1 points.
    """
    from scipy.special import softmax
    from scipy.stats import rankdata

    n, classes = logits.shape
    scores = softmax(logits, axis=1)
    largest = np.abs(logits).max(initial=0.0)
    softmax_error = u * (classes + 4 + 4 * largest)
    areas, bounds = [], []
    for label in range(classes):
        positive = targets == label
        pairs = int(positive.sum()) * int((~positive).sum())
        if pairs == 0:
            areas.append(0.0)
            bounds.append(0.0)
            continue
        ranks = rankdata(scores[:, label])
        count = int(positive.sum())
        area = (math.fsum(ranks[positive].tolist()) - count * (count + 1) / 2) / pairs
        p, q = scores[positive, label][:, None], scores[~positive, label][None, :]
        doubtful = int((np.abs(p - q) <= softmax_error * (p + q)).sum())
        areas.append(area)
        bounds.append(doubtful / pairs + gamma(2 * n + 4, u))
    return mean(areas, bounds, u)


def _squared_errors(outputs: Array, targets: Array, u: float) -> tuple[list[float], list[float]]:
    """Per element: one subtraction and one product, 3 roundings relative."""
    squares = np.square(outputs.reshape(-1) - targets.reshape(-1))
    return squares.tolist(), (3 * u * squares).tolist()


def _mean_squared_error(outputs: Array, targets: Array, u: float) -> Measured:
    terms, errors = _squared_errors(outputs, targets, u)
    return mean(terms, errors, u)


def _root_mean_squared_error(outputs: Array, targets: Array, u: float) -> Measured:
    """The root halves a relative error, and rounds once."""
    square = _mean_squared_error(outputs, targets, u)
    value = math.sqrt(square.value) if square.value >= 0 else math.nan
    carried = square.bound / (2 * value) if value else math.sqrt(square.bound)
    return Measured(value, carried * (1 + u) + 2 * u * value)


def _mean_of_outputs(outputs: Array, targets: Array, u: float) -> Measured:
    terms = outputs.reshape(-1).tolist()
    return mean(terms, [0.0] * len(terms), u)


def _std_of_outputs(outputs: Array, targets: Array, u: float) -> Measured:
    """Sample standard deviation (n - 1). The bound on the variance is n u kappa, relative, for an updating
    formula, kappa = sqrt(1 + mean^2 / variance) (Chan, Golub & LeVeque, *The American Statistician* 37, 1983);
    the root halves it."""
    flat = outputs.reshape(-1)
    n = len(flat)
    if n < 2:
        return Measured(math.nan, 0.0)
    centre = math.fsum(flat.tolist()) / n
    variance = math.fsum(np.square(flat - centre).tolist()) / (n - 1)
    value = math.sqrt(variance)
    if variance == 0:
        return Measured(0.0, gamma(n, u) * abs(centre))
    kappa = math.sqrt(1 + centre**2 / variance)
    return Measured(value, value * (gamma(n, u) * kappa / 2 + 2 * u))


cross_entropy = Quantity("cross-entropy", _cross_entropy)
accuracy = Quantity("accuracy", _accuracy)
f1_macro = Quantity("F1 (macro)", _f1_macro)
auroc_macro = Quantity("AUROC (macro)", _auroc_macro)
mean_squared_error = Quantity("mean squared error", _mean_squared_error)
root_mean_squared_error = Quantity("root mean squared error", _root_mean_squared_error)
mean_of_outputs = Quantity("mean of outputs", _mean_of_outputs)
std_of_outputs = Quantity("standard deviation of outputs", _std_of_outputs)
