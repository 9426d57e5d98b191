"""The figures of `sync_dist` once more, on samples that Lightning's own sampler deals: 41 and 25 to ranks that must all
have as many, so that some are given out once more, and trained on, validated on and counted twice."""

from harness import Aggregate, scenario
from harness.oracle.across import over_each_sample_once
from harness.oracle.predictions import weighted_by_batch_size, weighted_on_rank_zero, weighted_with_truncated_count
from harness.oracle.quantities import cross_entropy
from scenarios.epoch_averaging.sync_dist import Recommended as MetricObject
from scenarios.epoch_averaging.sync_dist import Synchronised, Unsynchronised
from scenarios.ranks.one_all_reduce import OneAllReduce


def losses(**more):
    return [
        Aggregate("train_loss", of=cross_entropy, stage="train", **more),
        Aggregate("val_loss", of=cross_entropy, stage="validation", **more),
    ]


def declare(pattern, variant, module, aggregates, **more):
    scenario(
        pattern=f"epoch_averaging/padded_{pattern}", variant=variant, source="document 001, advice at the end",
        module=lambda data: module(data.features, data.classes), workloads=["ranks/padded*"], ranks=2,
        aggregates=aggregates, **more,
    )  # fmt: skip


declare("logged", "control", Unsynchronised, losses(predicts=weighted_on_rank_zero))
declare(
    "sync_dist", "migrated", Synchronised,
    [
        *losses(needs="pytorch_lightning<2.0", predicts=weighted_by_batch_size),
        *losses(needs="pytorch_lightning>=2.0", predicts=weighted_with_truncated_count),
    ],
)  # fmt: skip
declare("metric_object", "migrated", MetricObject, losses())
declare(
    "one_all_reduce", "recommended", OneAllReduce, losses(predicts=over_each_sample_once),
    needs="pytorch_lightning>=2.0",
)  # fmt: skip
