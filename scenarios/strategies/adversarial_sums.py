"""What sums make of values: exact ones, very many, infinite ones, and NaN."""

import torch
from torchmetrics import MeanMetric, MeanSquaredError

from harness import Aggregate, Expect, scenario
from harness.oracle.measured import Measured, total
from harness.oracle.predictions import weighted_by_batch_size, weighted_without_nan
from harness.oracle.quantities import Quantity, cross_entropy, mean_of_outputs, mean_squared_error
from scenarios.models import Classifier, Regressor


class Summed(Regressor):
    """Batch values are logged, and given to a metric object with the number of samples they stand for."""

    def __init__(self, features):
        super().__init__(features)
        self.train_metric, self.val_metric = self.metric(), self.metric()

    metric = MeanMetric

    def training_step(self, batch, batch_idx):
        return self.report("train", self.train_metric, *batch)

    def validation_step(self, batch, batch_idx):
        self.report("val", self.val_metric, *batch)

    def report(self, prefix, metric, x, y):
        y_hat = self(x)
        value = self.value(y_hat, y)
        self.update(metric, value.detach(), y_hat.detach(), y)
        self.log(f"{prefix}_logged", value, on_step=False, on_epoch=True)
        self.log(f"{prefix}_metric", metric, on_step=False, on_epoch=True)
        return value

    def value(self, y_hat, y):
        return self.loss_fn(y_hat, y)

    def update(self, metric, value, y_hat, y):
        metric.update(value, weight=len(y))


class Identity(Summed):
    """Returns its input, and stays so."""

    def __init__(self, features):
        super().__init__(features)
        self.net = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.net.weight)

    def value(self, y_hat, y):
        return y_hat.mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Logged(Identity):
    """Lightning's own sum, in float32."""

    def validation_step(self, batch, batch_idx):
        self.log("val_mean", self(batch[0]).mean())


class Counted(Identity):
    """torchmetrics' sum, in float32 as well; it is logged once."""

    def validation_step(self, batch, batch_idx):
        self.val_metric.update(self(batch[0]).mean())

    def on_validation_epoch_end(self):
        self.log("val_mean", self.val_metric)


class Linear(Summed):
    """No hidden layer, in which infinities would cancel to NaN."""

    metric = MeanSquaredError

    def __init__(self, features):
        super().__init__(features)
        self.net = torch.nn.Linear(features, 1)

    def update(self, metric, value, y_hat, y):
        metric.update(y_hat, y)


class Classes(Summed):
    """The same for a classification."""

    loss_fn = staticmethod(Classifier.loss_fn)

    def __init__(self, features, classes):
        super().__init__(features)
        self.net = torch.nn.Linear(features, classes)


def _mean_of_eighths(outputs, targets, u):
    """Multiples of 1/8 below 8: at most 256 of them add up to a multiple of 1/8 below 2048, 14 bits, in whatever
    order, and their number and that of each batch are powers of two. float32 errs nowhere."""
    return Measured(total(outputs.reshape(-1).tolist()) / len(outputs), 0.0)


mean_of_eighths = Quantity("mean of eighths", _mean_of_eighths)


# Learning rate 0, so that outputs stay what they are.
NOT_TRAINED = Expect("violated", checker="training")
# One NaN makes all weights NaN, and they stay so.
SPOILT = Expect("violated", checker="training", workload="adversarial/nan_in_training")


def declare(pattern, variant, module, workloads, of, metric=weighted_by_batch_size, expects=()):
    scenario(
        pattern=f"strategies/{pattern}", variant=variant, module=module, workloads=workloads, expects=expects,
        aggregates=[
            Aggregate(f"{prefix}_{name}", of=of, stage=stage, predicts=predicts, across=across)
            for prefix, stage in (("train", "train"), ("val", "validation"))
            for name, predicts, across in (
                ("logged", weighted_by_batch_size, "rank_zero"), ("metric", metric, "samples"),
            )
        ],
    )  # fmt: skip


declare(
    "bit_exact_sums", "recommended", lambda data: Identity(data.features), "adversarial/dyadic", mean_of_eighths,
    expects=[NOT_TRAINED],
)  # fmt: skip
declare(
    "infinite_sums", "recommended", lambda data: Linear(data.features), "adversarial/infinite", mean_squared_error
)  # fmt: skip
declare(
    "nan_in_sums", "migrated", lambda data: Classes(data.features, data.classes), "adversarial/nan*", cross_entropy,
    metric=weighted_without_nan, expects=[SPOILT],
)  # fmt: skip
for variant, module, across in (("migrated", Logged, "rank_zero"), ("recommended", Counted, "samples")):
    scenario(
        pattern="strategies/drifting_sums", variant=variant, workloads="adversarial/many_batches",
        module=lambda data, module=module: module(data.features), expects=[NOT_TRAINED],
        aggregates=[
            Aggregate("val_mean", mean_of_outputs, "validation", weighted_by_batch_size, across=across),
        ],
    )  # fmt: skip
