"""How a strategy's figures are declared: the same names, quantities and stages for each."""

from collections.abc import Callable, Sequence
from typing import Any

from harness import Aggregate, scenario
from harness.oracle.predictions import Prediction, over_the_epoch
from harness.oracle.quantities import accuracy, auroc_macro, cross_entropy, f1_macro

QUANTITIES = {"loss": cross_entropy, "acc": accuracy, "f1": f1_macro, "auroc": auroc_macro}
STAGES = {"train": "train", "val": "validation"}


def figures(prefixes: Sequence[str] = ("train", "val"), **predicts: Prediction) -> list[Aggregate]:
    """`train_loss=…`-like aggregates for each prefix: a quantity's short name, and what is predicted of it."""
    return [
        Aggregate(f"{prefix}_{name}", of=QUANTITIES[name], stage=STAGES[prefix], predicts=prediction)
        for prefix in prefixes
        for name, prediction in predicts.items()
    ]


def strategy(name: str, variant: str, module: Callable[..., Any], aggregates: Sequence[Aggregate], **more: Any) -> None:
    """Declare one way to aggregate, on the network that all of them share."""
    scenario(
        pattern=f"strategies/{name}", variant=variant, module=lambda data: module(data.features, data.classes),
        aggregates=aggregates, **more,
    )  # fmt: skip


exact = over_the_epoch
