"""Data of one's own, of which nothing is known before a training: what became of that, and whether it may."""

import pytest


@pytest.mark.parametrize(("variant", "validated"), [("recommended", [0, 1]), ("migrated", [1, 3])])
def test_epochs_that_early_stopping_left_out_were_not_planned(laboratory, variant, validated):
    stopped = laboratory.run(f"own_data/training/{variant}@own/data")
    assert stopped.unexpected == []
    (figure,) = (each for each in stopped.findings if each.checker == "aggregate")
    assert [(each.epoch, each.verdict) for each in figure.per_epoch] == [(epoch, "exact") for epoch in validated]


def test_a_checkpoint_is_written_in_the_trials_folder(laboratory):
    stopped = laboratory.run("own_data/training/recommended@own/data")
    assert stopped.history.first("Trainer.fit", "ok").value["files"] == ["checkpoints/best.ckpt"]


@pytest.mark.parametrize(("variant", "as_expected"), [("as_documented", False), ("control", True)])
def test_what_is_never_validated_is_missing_and_that_is_only_so_if_it_is_said(laboratory, variant, as_expected):
    (figure,) = (
        each for each in laboratory.run(f"own_data/training/{variant}@own/data").findings if each.checker == "aggregate"
    )
    assert (figure.verdict, figure.as_expected) == ("missing", as_expected)
    assert figure.message == "no step of validation was seen, and nothing was reported"
