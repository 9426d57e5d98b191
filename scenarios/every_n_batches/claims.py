"""What document 002 states about computing metrics every n batches, and what decides it."""

from harness import Differ, Expect, Fewer, When, claim

SINGLE = "every_n_batches/single_metric"
MULTIPLE = "every_n_batches/multiple_metrics"
AVERAGE = "every_n_batches/moving_average"
SOURCE = "document 002"

claim(
    "002.every-n-batches-calls-less",
    "Accumulating over n batches makes an epoch's steps do less than logging after each.",
    source=SOURCE,
    holds_when=[Fewer("python_calls_train", f"{SINGLE}/migrated", than=f"{SINGLE}_n_1/control")],
    # Before 2.4 logging costs so little that eight batches an epoch do not pay for the window. Since then every
    # call moves the figure's state to the value's device, where it is already (`_ResultCollection.log`).
    expects=[Expect("holds in part", needs="pytorch_lightning<2.4"), Expect("holds")],
)
claim(
    "002.every-n-batches-saves-the-computation",
    "Accumulating over n batches makes an epoch's steps do less than adding to a metric without computing it.",
    source=SOURCE,
    holds_when=[Fewer("python_calls_train", f"{MULTIPLE}/migrated", than=f"{MULTIPLE}/recommended")],
    expects=[Expect("refuted")],
)
claim(
    "002.the-figure-is-as-accurate",
    "The figure that is reported for the epoch does not suffer.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{SINGLE}/migrated", checker="aggregate"),
        When("exact", f"{MULTIPLE}/migrated", checker="aggregate"),
    ],
    expects=[Expect("holds in part")],
)
claim(
    "002.the-document-s-step-trains",
    "The first example's `training_step` trains the model.",
    source=SOURCE,
    holds_when=[When("ok", f"{SINGLE}/migrated", "weights", "training")],
    expects=[Expect("refuted")],
)
claim(
    "002.n-from-10-to-100-is-a-good-balance",
    "With n between 10 and 100 every epoch has its figure, and it is the true one.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{SINGLE}/migrated", checker="aggregate"),
        *(When("exact", f"{SINGLE}_n_{n}/control", checker="aggregate") for n in (20, 50, 100)),
    ],
    expects=[Expect("refuted")],
)
claim(
    "002.alpha-smooths",
    "The moving average smooths the loss: its factor alpha makes a difference.",
    source=SOURCE,
    holds_when=[Differ("train_loss", f"{AVERAGE}/migrated", than=f"{AVERAGE}/control")],
    expects=[Expect("refuted")],
)
claim(
    "002.the-moving-average-is-the-epoch-s-loss",
    "What is reported under the loss's name is the epoch's loss.",
    source=f"{SOURCE}, implied",
    holds_when=[When("exact", f"{AVERAGE}/migrated", "train_loss", "aggregate")],
    expects=[Expect("refuted")],
)
