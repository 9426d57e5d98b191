"""How a strategy's figures are declared: the same names, quantities and stages for each."""

from collections.abc import Callable, Sequence
from typing import Any

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import Prediction, over_the_epoch, since_resuming
from harness.oracle.quantities import accuracy, auroc_macro, cross_entropy, f1_macro
from harness.scenario import Across

QUANTITIES = {"loss": cross_entropy, "acc": accuracy, "f1": f1_macro, "auroc": auroc_macro}
# Classification in batches of one loader, whatever the samples; and then whatever precision and schedule.
OF_ANY_SAMPLES = ("digits/*", "adversarial/constant_target", "adversarial/imbalanced", "adversarial/nan")
WORKLOADS = (
    *OF_ANY_SAMPLES, "adversarial/float64", "adversarial/accumulation", "adversarial/*validation*",
    "adversarial/limited*", "adversarial/resumed",
)  # fmt: skip
STAGES = {"train": "train", "val": "validation"}


def figures(
    prefixes: Sequence[str] = ("train", "val"),
    *,
    in_checkpoints: bool = False,
    across: Across = "rank_zero",
    **predicts: Prediction,
) -> list[Aggregate]:
    """`train_loss=…`-like aggregates for each prefix: a quantity's short name, and what is predicted of it.

    Args:
        in_checkpoints: what is summed up is saved with the module, so that a resumed epoch goes on.
        across: as of `Aggregate`.
    """
    remembered = (lambda prediction: prediction) if in_checkpoints else since_resuming
    return [
        Aggregate(
            f"{prefix}_{name}",
            of=QUANTITIES[name],
            stage=STAGES[prefix],
            predicts=remembered(prediction),
            across=across,
        )
        for prefix in prefixes
        for name, prediction in predicts.items()
    ]


# torchmetrics sorts scores that are NaN among the others, and so has an area where there is none
# (`functional/classification/precision_recall_curve.py`, `_binary_clf_curve`).
RANKED_THOUGH_NAN = Expect("wrong", checker="aggregate", aggregate="val_auroc", workload="adversarial/nan")
RESUMED = [
    # The loader starts again from its first batch, and stops when as many are done as an epoch has
    # (`loops/training_epoch_loop.py`, `on_run_start`): the last ones are never seen.
    Expect("violated", checker="samples", aggregate="train", workload="adversarial/resumed"),
    # A checkpoint that is saved when a batch ends does not count it as done yet. From 2.5.0 on `fit` notices
    # (`restarted_on_train_batch_end`); before, it does that batch's place again, tells loggers one step too few
    # and begins the epoch a second time (`loops/fit_loop.py`, `on_advance_start`).
    Expect("violated", checker="report_step", workload="adversarial/resumed", needs="pytorch_lightning<2.5"),
    Expect(
        "violated", checker="hook", aggregate="*on_train_epoch_start (train)", workload="adversarial/resumed",
        needs="pytorch_lightning<2.5",
    ),
]  # fmt: skip


def strategy(
    name: str,
    variant: str,
    module: Callable[..., Any],
    aggregates: Sequence[Aggregate],
    expects: Sequence[Expect] = (),
    workloads: Sequence[str] = WORKLOADS,
    **more: Any,
) -> None:
    """Declare one way to aggregate, on the network that all of them share."""
    scenario(
        pattern=f"strategies/{name}", variant=variant, module=lambda data: module(data.features, data.classes),
        aggregates=aggregates, workloads=workloads, expects=[*expects, RANKED_THOUGH_NAN, *RESUMED], **more,
    )  # fmt: skip


exact = over_the_epoch
