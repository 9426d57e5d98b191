"""What document 003 states of validation beside training, and what decides it: findings here, times in `bench`."""

from harness import Expect, When, claim

HERE = "parallel_validation"
SOURCE = "document 003"

claim(
    "003.the-script-runs",
    "The script as it is shown trains, and validates in processes of its own.",
    source=SOURCE,
    holds_when=[When("exact", f"{HERE}/spawned_process*/as_documented", "*", "aggregate")],
    expects=[Expect("refuted")],
)
claim(
    "003.weights-must-be-copied",
    "Weights must be copied, or validation sees those of the next epoch.",
    source=SOURCE,
    holds_when=[
        When("wrong", f"{HERE}/live_weights/control", "*", "aggregate"),
        When("exact", f"{HERE}/thread/migrated", "*", "aggregate"),
    ],
    expects=[Expect("holds")],
)
claim(
    "003.results-come-back-for-logging",
    "The results come back to the main process, which logs them: each of its epoch.",
    source=SOURCE,
    holds_when=[When("ok", f"{HERE}/spawned_process/migrated", "val_loss", "same_as")],
    expects=[Expect("refuted")],
)
claim(
    "003.results-come-back-for-checkpointing",
    "The results come back to the main process, where checkpoints and early stopping can go by them.",
    source=SOURCE,
    holds_when=[
        When("exact", f"{HERE}/checkpoint/control", "*", "aggregate"),
        When("exact", f"{HERE}/early_stopping/control", "*", "aggregate"),
    ],
    expects=[Expect("refuted")],
)
claim(
    "003.all-results-are-collected",
    "When training ends, the results of all processes are collected: of any size, or else somebody is told.",
    source=SOURCE,
    holds_when=[
        When("ok", f"{HERE}/large_result/control", "exit", "process"),
        When("exact", f"{HERE}/killed_process/control", "*", "aggregate"),
    ],
    expects=[Expect("refuted")],
)
claim(
    "003.all-processes-are-ended",
    "When training ends, so have all processes.",
    source=SOURCE,
    holds_when=[
        When("ok", f"{HERE}/spawned_process/migrated", "exit", "process"),
        When("ok", f"{HERE}/early_stopping/control", "exit", "process"),
    ],
    expects=[Expect("refuted")],
)
claim(
    "003.a-callback-can-validate-beside-training",
    "A callback that copies the weights and validates them elsewhere changes nothing: same figures, same training.",
    source=SOURCE,
    holds_when=[
        When("ok", f"{HERE}/{strategy}", "*", "same_as")
        for strategy in (
            "spawned_process/recommended", "fork_per_epoch/recommended", "forkserver_per_epoch/recommended",
            "thread/migrated",
        )
    ],
    expects=[Expect("holds")],
)  # fmt: skip
claim(
    "003.sequential-validation-does-not-change-training",
    "Validation after every epoch, as Lightning does it, with a loader as it is by default, leaves training as it is.",
    source=f"{SOURCE}, implied",
    holds_when=[When("ok", f"{HERE}/default_loader/control", "weights", "same_as")],
    expects=[Expect("refuted")],
)
