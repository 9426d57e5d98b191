"""What document 000 states about `epoch_end` and `validation_epoch_end`, and what decides it."""

from harness import Expect, Fewer, When, claim

BASIC = "epoch_end_hooks/basic_metric"
OUTPUTS = "epoch_end_hooks/custom_outputs"
CONDITIONAL = "epoch_end_hooks/conditional_logging"
SOURCE = "document 000"
BEFORE_2 = Expect("holds", needs="pytorch_lightning<2.0")

claim(
    "000.epoch-end-runs-after-training-and-validation",
    "`epoch_end` runs at the end of every epoch, training and validation alike.",
    source=SOURCE,
    holds_when=[
        When("ok", f"{BASIC}/as_documented", "epoch_end (train)", "hook"),
        When("ok", f"{BASIC}/as_documented", "epoch_end (validation)", "hook"),
    ],
    expects=[Expect("refuted")],
)
claim(
    "000.epoch-end-reports-the-training-aggregate",
    "`epoch_end` works on the outputs of the training steps, so it can report the epoch's training figure.",
    source=SOURCE,
    holds_when=[When("exact", "epoch_end_hooks/*/as_documented", "train_*", "aggregate")],
    expects=[Expect("refuted")],
)
claim(
    "000.validation-epoch-end-runs-once-per-validation",
    "`validation_epoch_end` runs at the end of the validation of each epoch, and then only.",
    source=SOURCE,
    holds_when=[When("ok", "epoch_end_hooks/*/as_documented", "validation_epoch_end (validation)", "hook")],
    expects=[BEFORE_2, Expect("refuted")],
)
claim(
    "000.validation-epoch-end-gets-the-validation-outputs",
    "What `validation_epoch_end` is given are the outputs of the validation steps.",
    source=SOURCE,
    holds_when=[When("exact", f"{OUTPUTS}/as_documented", "val_*", "aggregate")],
    expects=[BEFORE_2, Expect("refuted")],
)
claim(
    "000.reset-prevents-leakage",
    "Resetting the metric after each epoch keeps one epoch's samples out of the next one's figure.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{BASIC}/migrated", "train_epoch_accuracy", "aggregate"),
        When("ok", f"{BASIC}/migrated", "train_accuracy (train)", "metric_state"),
        When("biased", f"{BASIC}/control", "train_epoch_accuracy", "aggregate"),
        When("violated", f"{BASIC}/control", "train_accuracy (train)", "metric_state"),
    ],
    expects=[Expect("holds")],
)
claim(
    "000.the-document-s-training-metric-is-reset",
    "In the example as it stands, the training metric is reset after each epoch.",
    source=SOURCE,
    holds_when=[When("ok", f"{BASIC}/as_documented", "train_accuracy (train)", "metric_state")],
    # From 2.0 on nothing runs that could tell.
    expects=[Expect("refuted", needs="pytorch_lightning<2.0"), Expect("undecided")],
)
claim(
    "000.the-logged-value-is-the-epoch-s",
    "What is logged when the epoch ends is the aggregate over that epoch.",
    source=SOURCE,
    holds_when=[When("exact", "epoch_end_hooks/*/migrated", "*_epoch_*", "aggregate")],
    expects=[Expect("holds")],
)
claim(
    "000.validation-loss-is-logged-per-batch",
    "`self.log` in `validation_step` logs on the level of batches.",
    source=SOURCE,
    holds_when=[When("biased", f"{BASIC}/migrated", "val_loss", "aggregate")],
    expects=[Expect("refuted")],
)
claim(
    "000.metric-state-makes-outputs-unnecessary",
    "A metric that keeps its own state gives the same figure without the steps' outputs.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{OUTPUTS}/migrated", "*", "aggregate"),
        When("exact", f"{OUTPUTS}/recommended", "*", "aggregate"),
    ],
    expects=[Expect("holds")],
)
claim(
    "000.metric-state-takes-less-memory",
    "Metric state is cheaper than collected outputs: it holds less memory.",
    source=SOURCE,
    holds_when=[
        Fewer("held_bytes_train", f"{OUTPUTS}/recommended", than=f"{OUTPUTS}/migrated"),
        Fewer("held_bytes_validation", f"{OUTPUTS}/recommended", than=f"{OUTPUTS}/migrated"),
    ],
    expects=[Expect("holds")],
)
claim(
    "000.metric-state-takes-less-time",
    "Metric state is cheaper than collected outputs: it makes a step do less.",
    source=SOURCE,
    holds_when=[
        Fewer("python_calls_train", f"{OUTPUTS}/recommended", than=f"{OUTPUTS}/migrated"),
        Fewer("python_calls_validation", f"{OUTPUTS}/recommended", than=f"{OUTPUTS}/migrated"),
    ],
    expects=[Expect("refuted")],
)
claim(
    "000.logged-only-from-a-given-epoch-on",
    "A condition on the epoch keeps a figure from being reported before that epoch.",
    source=SOURCE,
    holds_when=[When("exact", f"{CONDITIONAL}/migrated", "*_cond", "aggregate")],
    expects=[Expect("holds")],
)
claim(
    "000.sanity-check-does-not-leak",
    "Batches of the sanity check before the first epoch do not count towards its validation figure.",
    source=f"{SOURCE}, implied",
    holds_when=[
        When("exact", "epoch_end_hooks/*/migrated", "val_*", "aggregate"),
        When("ok", "epoch_end_hooks/*/migrated", "* (validation)", "metric_state"),
    ],
    expects=[Expect("holds")],
)
