"""What document 001 states about averaging over an epoch, and what decides it."""

from harness import Expect, When, claim

DEFAULTS = "epoch_averaging/per_batch_logging"
MANUAL = "epoch_averaging/manual_average"
REDUCTION = "epoch_averaging/metric_reduction"
SOURCE = "document 001"

claim(
    "001.nothing-is-averaged-in-training",
    "By default `self.log` in `training_step` averages nothing: the epoch ends with the last batch's value.",
    source=SOURCE,
    holds_when=[
        When("biased", f"{DEFAULTS}/migrated", "train_loss (callback_metrics)", "aggregate", workload)
        for workload in ("digits/even", "digits/ragged", "digits/batch_of_one")
    ],
    expects=[Expect("holds")],
)
claim(
    "001.nothing-is-averaged-in-validation",
    "By default `self.log` in `validation_step` averages nothing.",
    source=SOURCE,
    holds_when=[When("biased", f"{DEFAULTS}/migrated", "val_*", "aggregate")],
    expects=[Expect("refuted")],
)
claim(
    "001.the-bar-shows-a-running-average-of-what-is-logged",
    "The progress bar shows a running average of a figure logged with `prog_bar=True`.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{DEFAULTS}/migrated", "train_acc (progress_bar)", "aggregate", workload)
        for workload in ("digits/even", "digits/ragged", "digits/batch_of_one")
    ],
    expects=[Expect("refuted")],
)
claim(
    "001.the-bar-shows-a-running-average-of-the-loss",
    "The progress bar shows a running average of the loss, without being asked.",
    source=SOURCE,
    holds_when=[When("biased", f"{DEFAULTS}/migrated", "loss (progress_bar)", "aggregate", "digits/batch_of_one")],
    expects=[Expect("holds", needs="pytorch_lightning<2.0"), Expect("refuted")],
)
claim(
    "001.pytorch-lightning-metrics-exists",
    "`Accuracy` can be imported from `pytorch_lightning.metrics`.",
    source=f"{SOURCE}, examples 1 and 2",
    holds_when=[When("biased", f"{DEFAULTS}/as_documented", "*", "aggregate", "digits/ragged")],
    expects=[Expect("refuted")],
)
claim(
    "001.manual-average-is-the-epoch-mean",
    "Adding up batch values and dividing by the number of batches gives the epoch's mean.",
    source=SOURCE,
    holds_when=[When("exact", f"{MANUAL}/migrated", "*", "aggregate")],
    expects=[Expect("holds in part")],
)
claim(
    "001.manual-average-works-for-any-figure",
    "The same averaging gives the epoch's figure when it is not a mean, such as a root mean squared error.",
    source=f"{SOURCE}, implied",
    holds_when=[
        When("exact", f"{MANUAL}_regression/migrated", "*_rmse", "aggregate", workload)
        for workload in ("diabetes/even", "diabetes/ragged", "diabetes/batch_of_one")
    ],
    expects=[Expect("refuted")],
)
claim(
    "001.training-epoch-end-is-there",
    "`training_epoch_end` runs when a training epoch ends.",
    source=SOURCE,
    holds_when=[When("ok", "epoch_averaging/*/as_documented", "training_epoch_end (train)", "hook")],
    expects=[Expect("holds", needs="pytorch_lightning<2.0"), Expect("refuted")],
)
claim(
    "001.reduce-fx-gives-the-epoch-mean",
    "`on_epoch=True` with a `reduce_fx` of mean gives the epoch's figure for a mean over samples.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{REDUCTION}/migrated", "*_acc", "aggregate"),
        When("exact", f"{DEFAULTS}/recommended", "*_loss", "aggregate"),
    ],
    expects=[Expect("holds")],
)
claim(
    "001.reduce-fx-works-for-any-metric",
    "The same reduction gives the epoch's figure for any metric, such as F1 or AUROC.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{REDUCTION}/migrated", figure, "aggregate", workload)
        for figure in ("*_f1", "*_auroc")
        for workload in ("digits/even", "digits/ragged", "digits/batch_of_one")
    ],
    expects=[Expect("refuted")],
)
claim(
    "001.metrics-take-a-reduce-argument",
    "`Accuracy(reduce='mean')` asks torchmetrics for the reduction over a batch.",
    source=f"{SOURCE}, example 3",
    holds_when=[When("exact", f"{REDUCTION}/as_documented", "train_acc", "aggregate")],
    expects=[Expect("refuted")],
)
claim(
    "001.logging-the-metric-object-is-exact",
    "A metric object that is logged as it is gives the epoch's figure, mean over batches or not.",
    source=f"{SOURCE}, advice at the end",
    holds_when=[When("exact", "epoch_averaging/*/recommended", "*", "aggregate")],
    expects=[Expect("holds")],
)
claim(
    "001.sync-dist-matters",
    "Where several processes share an epoch, `sync_dist` changes what is reported.",
    source=f"{SOURCE}, advice at the end",
    holds_when=[
        When("biased", "epoch_averaging/sync_dist/control", "*_loss", "aggregate"),
        When("exact", "epoch_averaging/sync_dist/migrated", "*_loss", "aggregate", "digits/even"),
    ],
    expects=[Expect("holds")],
)
claim(
    "001.sync-dist-gives-the-epoch-mean",
    "`sync_dist=True` makes the reported figure the mean over all samples, however many each process had.",
    source=f"{SOURCE}, implied",
    holds_when=[When("exact", "epoch_averaging/sync_dist/migrated", "*_loss", "aggregate")],
    expects=[Expect("holds", needs="pytorch_lightning<2.0"), Expect("holds in part")],
)
claim(
    "001.a-metric-object-needs-no-sync-dist",
    "A metric object that is logged as it is gives the mean over all processes' samples.",
    source=f"{SOURCE}, advice at the end",
    holds_when=[When("exact", "epoch_averaging/sync_dist/recommended", "*_loss", "aggregate")],
    expects=[Expect("holds")],
)
