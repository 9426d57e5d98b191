"""Does the harness object to a bug in the framework, for the right reason, and to nothing else?"""

import math

import pytest
from harmless_changes import HARMLESS
from planted_bugs import PLANTS as IN_LIGHTNING
from planted_bugs import nan_dropped, unweighted_mean, weights_kept_from_the_epoch_before
from planted_bugs_faults import PLANTS as UNDER_FAULTS
from planted_bugs_keras import PLANTS as IN_KERAS
from planted_bugs_ranks import PLANTS as ON_RANKS
from planted_bugs_validation import PLANTS as IN_VALIDATION

from harness.findings import Finding

PLANTS = [*IN_LIGHTNING, *UNDER_FAULTS, *IN_KERAS, *IN_VALIDATION, *ON_RANKS]
CHANGES = [*PLANTS, *HARMLESS]


def parameters(changes):
    return [pytest.param(change, id=change.name) for change in changes]


def run_changed(laboratory, change, on=""):
    unmet = laboratory.environment.unmet(change.needs)
    if unmet:
        pytest.skip(unmet)
    return laboratory.run(on or change.on, change.prelude)


def named(plant):
    return next(change for change in PLANTS if change.make is plant)


def told(findings: list[Finding]) -> str:
    return "\n".join(f"{each.checker} {each.aggregate}: {each.verdict}: {each.message}" for each in findings)


AS_PEOPLE_WRITE = "meta/as_people_write/recommended@digits/single_batch"


@pytest.mark.parametrize("on", sorted({AS_PEOPLE_WRITE, *(change.on for change in CHANGES)}))
def test_unchanged_everything_is_as_expected(on, laboratory):
    tried = laboratory.run(on)
    assert tried.findings
    assert not tried.unexpected, told(tried.unexpected)


@pytest.mark.parametrize("bug", parameters(PLANTS))
def test_a_planted_bug_is_caught_for_what_it_is(bug, laboratory):
    unexpected = run_changed(laboratory, bug).unexpected
    assert bug.caught_by in {(finding.checker, finding.aggregate) for finding in unexpected}, told(unexpected)


@pytest.mark.parametrize("change", parameters(HARMLESS))
def test_a_harmless_change_is_not_objected_to(change, laboratory):
    tried = run_changed(laboratory, change)
    assert not tried.unexpected, told(tried.unexpected)
    assert "reached: " in tried.output, "the change was never reached, so the trial shows nothing"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_every_change_says_in_a_line_what_could_break(change):
    assert change.make.__doc__
    assert "\n" not in change.make.__doc__


def test_nan_is_the_true_figure_of_an_epoch_with_a_nan(laboratory):
    findings = laboratory.run(named(nan_dropped).on).findings
    (figure,) = (finding for finding in findings if finding.checker == "aggregate")
    assert figure.verdict == "exact"
    assert math.isnan(figure.observed)


def test_a_bug_that_needs_ragged_batches_does_not_show_on_even_ones(laboratory):
    bug = named(unweighted_mean)
    tried = run_changed(laboratory, bug, on=bug.on.replace("ragged", "even"))
    assert not tried.unexpected, told(tried.unexpected)


def test_the_first_epoch_that_is_wrong_is_named(laboratory):
    bug = named(weights_kept_from_the_epoch_before)
    (finding,) = (
        finding for finding in run_changed(laboratory, bug).unexpected
        if (finding.checker, finding.aggregate) == bug.caught_by
    )  # fmt: skip
    assert finding.epoch == 1
    assert finding.per_epoch[0].verdict == "exact"
