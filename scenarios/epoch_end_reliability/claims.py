"""What document 004 states about the end of an epoch, what the same comes to in Lightning, and what decides it."""

from harness import Expect, When, claim

BASIC = "epoch_end_reliability/basic_callback/as_documented"
LABELS = "epoch_end_reliability/error_handling/as_documented"
LOADING = "epoch_end_reliability/data_loading/as_documented"
MIRRORED = "epoch_end_reliability/mirrored_strategy/as_documented"
HOOKS = "epoch_end_reliability/lightning_hooks/as_documented"
RELIABLE = "epoch_end_reliability/*/recommended"
SOURCE = "document 004"
IN_LIGHTNING = f"{SOURCE}, asked of Lightning"


def silent(scenario, *faults, hook="EpochLog.on_epoch_end"):
    """The hook does not run in the epoch that a fault is aimed at."""
    return [When("silent", scenario, hook, "cell", fault=fault) for fault in faults]


claim(
    "004.a-line-per-epoch",
    "A callback that writes in `on_epoch_end` leaves one line for every epoch, if nothing goes wrong.",
    source=f"{SOURCE}, example 1",
    holds_when=[When("ok", BASIC, checker="record")],
    expects=[Expect("holds")],
)
claim(
    "004.an-abrupt-end-bypasses-it",
    "A process that is killed, terminated or left in mid-epoch does not call `on_epoch_end` for that epoch.",
    source=SOURCE,
    holds_when=silent(BASIC, "process.kill", "process.terminate", "process.os_exit", "process.sys_exit"),
    expects=[Expect("holds")],
)
claim(
    "004.an-exception-bypasses-it",
    "An exception in a step of training or validation keeps `on_epoch_end` from being called.",
    source=SOURCE,
    holds_when=silent(BASIC, "step.exception*", "step.out_of_memory*"),
    expects=[Expect("holds")],
)
claim(
    "004.a-faulty-generator-bypasses-it",
    "Data that raises, changes its shape, hangs, is corrupt or ends too early keeps `on_epoch_end` from being called.",
    source=SOURCE,
    holds_when=silent(LOADING, "loader.*"),
    expects=[Expect("holds in part")],
)
claim(
    "004.batches-that-change-shape-raise",
    "A generator whose batches change their shape ends training with an exception, before `on_epoch_end`.",
    source=f"{SOURCE}, example 3",
    holds_when=[
        *silent(LOADING, "loader.batch_changes_shape", hook="EpochLog.on_epoch_end"),
        *silent(BASIC, "loader.batch_changes_shape", hook="EarlyStopping.on_train_end"),
    ],
    expects=[Expect("holds")],
)
claim(
    "004.only-after-a-complete-pass",
    "`on_epoch_end` is called after a complete pass over the data, and never otherwise.",
    source=SOURCE,
    holds_when=[*silent(LOADING, "loader.empty_epoch", "loader.runs_dry"), *silent(BASIC, "process.stop_requested")],
    expects=[Expect("refuted")],
)
claim(
    "004.an-empty-epoch-tells-no-figures",
    "What `on_epoch_end` is told are figures of the epoch that ended.",
    source=f"{SOURCE}, implied",
    holds_when=[
        When("fired", LOADING, "EpochLog.on_epoch_end", "cell", fault="loader.empty_epoch"),
        When(
            "fired", LOADING.replace("as_documented", "control"), "*.on_epoch_end", "cell", fault="loader.empty_epoch"
        ),
    ],
    expects=[Expect("refuted")],
)
claim(
    "004.catching-makes-it-reliable",
    "`try` and `except` around `fit` see to it that `on_epoch_end` is called.",
    source=f"{SOURCE}, examples",
    holds_when=[
        When("fired", BASIC, "EpochLog.on_epoch_end", "cell", fault=fault)
        for fault in ("step.exception", "step.labels_raise", "loader.getitem_raises")
    ],
    expects=[Expect("refuted")],
)
claim(
    "004.mirrored-strategy-bypasses-it",
    "A run in a `MirroredStrategy` that is interrupted, or in which a replica fails, does not call `on_epoch_end`.",
    source=SOURCE,
    holds_when=silent(MIRRORED, "strategy.replica_raises", "process.interrupt"),
    expects=[Expect("holds")],
)
claim(
    "004.stop-training-bypasses-it",
    "A stop by the user through `stop_training` does not call `on_epoch_end` for the epoch that it comes in.",
    source=SOURCE,
    holds_when=silent(BASIC, "process.stop_requested"),
    expects=[Expect("refuted")],
)
claim(
    "004.ctrl-c-bypasses-it",
    "A stop by the user through Ctrl-C does not call `on_epoch_end` for the epoch that it comes in.",
    source=SOURCE,
    holds_when=silent(BASIC, "process.interrupt*"),
    expects=[Expect("holds")],
)
claim(
    "004.labels-of-another-shape-throw",
    "Labels of shape (n, 2) against outputs of shape (n, 1) end `fit` with an exception.",
    source=f"{SOURCE}, example 2",
    holds_when=silent(LABELS, "step.labels_broadcast*"),
    expects=[Expect("refuted")],
)
claim(
    "004.labels-of-another-shape-are-harmless",
    "Where such labels do not end `fit`, the loss that is reported is that of the samples.",
    source=f"{SOURCE}, example 2, implied",
    holds_when=[
        When("exact", LABELS, "loss", "aggregate", fault="step.labels_broadcast.every_batch"),
        When("exact", LABELS, "val_loss", "aggregate", fault="step.labels_broadcast.validation"),
    ],
    expects=[Expect("refuted")],
)
claim(
    "004.an-earlier-fit-keeps-its-lines",
    "An epoch that had ended before something raised keeps its line, caught or not.",
    source=f"{SOURCE}, example 2, which says that it would not",
    holds_when=[When("ok", LABELS, checker="record", fault="step.labels_raise*")],
    expects=[Expect("holds")],
)
claim(
    "004.the-advice-can-be-had",
    "Of data that says truly how much it is, a record can be had that has every complete epoch once, and no other, "
    "whatever ends the process.",
    source=f"{SOURCE}, advice at the end",
    holds_when=[
        When("ok", RELIABLE, checker="record", fault=fault)
        for fault in (
            "none",
            "step.*",
            "callback.*",
            "process.*",
            "loader.getitem_raises*",
            "loader.batch_changes_shape*",
            "loader.corrupt_sample*",
            "loader.hangs*",
            "loader.never_ends*",
            "loader.runs_dry",
            "loader.empty_epoch",
        )
    ],
    expects=[Expect("holds")],
)
claim(
    "004.lightning.an-exception-bypasses-it",
    "An exception in a step keeps Lightning's `on_train_epoch_end` from being called, of callbacks and of the module.",
    source=IN_LIGHTNING,
    holds_when=silent(HOOKS, "step.exception*", hook="*on_train_epoch_end"),
    expects=[Expect("holds")],
)
claim(
    "004.lightning.only-after-a-complete-pass",
    "Lightning calls `on_train_epoch_end` after a complete pass over the data, and never otherwise.",
    source=IN_LIGHTNING,
    holds_when=silent(HOOKS, "loader.runs_dry", "loader.empty_epoch", hook="*on_train_epoch_end"),
    expects=[Expect("refuted")],
)
claim(
    "004.lightning.figures-are-of-the-epoch",
    "What callbacks find in `callback_metrics` when an epoch ends are figures of that epoch.",
    source=IN_LIGHTNING,
    holds_when=[
        When("fired", HOOKS, "EpochLog.on_train_epoch_end", "cell", fault=fault)
        for fault in ("loader.runs_dry", "loader.empty_epoch", "loader.empty_epoch.validation")
    ],
    expects=[Expect("refuted")],
)
claim(
    "004.lightning.callbacks-are-told-of-exceptions",
    "`on_exception` is called once for an exception, whoever raises it.",
    source="Callback API, `on_exception`",
    holds_when=[
        When("ok", HOOKS, "EpochLog.on_exception", "on_exception", fault=fault) for fault in ("step.*", "callback.*")
    ],
    expects=[Expect("holds")],
)
claim(
    "004.lightning.teardown-always-runs",
    "`teardown` is called when `fit` ends, however it ends.",
    source="LightningModule API, `teardown`: called at the end of fit",
    holds_when=[
        When("fired", HOOKS, "*teardown", "cell", fault=fault) for fault in ("step.exception", "process.interrupt")
    ],
    expects=[Expect("refuted")],
)
claim(
    "004.lightning.loggers-are-finalized",
    "Loggers are finalized after an exception and after Ctrl-C.",
    source=IN_LIGHTNING,
    holds_when=[
        When("fired", HOOKS, "Logger.finalize", "cell", fault=fault)
        for fault in ("step.exception", "process.interrupt")
    ],
    expects=[Expect("holds")],
)
claim(
    "004.lightning.sigterm-ends-in-order",
    "After SIGTERM callbacks are told, and loggers finalized, before the process ends.",
    source=IN_LIGHTNING,
    holds_when=[When("fired", HOOKS, "EpochLog.on_exception", "cell", fault="process.terminate")],
    expects=[Expect("refuted", needs="pytorch_lightning<2.0"), Expect("holds")],
)
claim(
    "004.lightning.ctrl-c-reaches-the-caller",
    "Ctrl-C reaches the caller of `fit` as `KeyboardInterrupt`.",
    source=IN_LIGHTNING,
    holds_when=[When("ok", HOOKS, "caller", "exception", fault="process.interrupt")],
    expects=[Expect("refuted")],
)
