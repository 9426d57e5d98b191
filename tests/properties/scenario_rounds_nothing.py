"""The recommended ways with a model whose forward pass rounds nothing: what it gives for a sample is the same bits
in whatever batch the sample comes, so that figures of two partitions can be compared with each other.

A pixel of digits is a multiple of 2**-4, at most 1, and weights are rounded to multiples of 2**-6. torch draws
them from +-1/sqrt(inputs): at most 1/8 in the first layer, so its sums over 64 pixels and a bias are multiples of
2**-10 below 2**4; below 3/16 in the second, so those over 32 inputs are multiples of 2**-16 below 2**7. Numbers
of 23 bits are exact in float32, in whatever order they are added. Nothing is learned: an update would round.
"""

import torch

from harness import Aggregate, Expect, scenario
from harness.oracle.quantities import accuracy, cross_entropy, f1_macro
from scenarios.epoch_averaging import manual_average, metric_reduction, per_batch_logging

EXACT = 2.0**6


def rounds_nothing(recommended):
    class RoundsNothing(recommended):
        def __init__(self, features, classes):
            super().__init__(features, classes)
            with torch.no_grad():
                for weights in self.parameters():
                    weights.copy_((weights * EXACT).round() / EXACT)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    return lambda data: RoundsNothing(data.features, data.classes)


for pattern, recommended, figures in (
    ("per_batch_logging", per_batch_logging.Recommended, {"val_loss": cross_entropy, "val_acc": accuracy}),
    ("manual_average", manual_average.Recommended, {"val_epoch_loss": cross_entropy, "val_epoch_acc": accuracy}),
    ("metric_reduction", metric_reduction.Recommended, {"val_acc": accuracy, "val_f1": f1_macro}),
):
    scenario(
        pattern=f"rounds_nothing/{pattern}", variant="recommended", module=rounds_nothing(recommended),
        aggregates=[Aggregate(name, of=quantity, stage="validation") for name, quantity in figures.items()],
        expects=[Expect("violated", checker="training")],
    )  # fmt: skip
