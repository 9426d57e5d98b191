"""Whatever goes wrong beside or in training: every epoch has one outcome, no figure is wrong, and nothing is left."""

import pytest
from mishaps import BATCH, IDLE, SENDING, STARTING, Mishap
from verdicts import judge

ALWAYS = 99


def observed(observer, *mishaps, **fit):
    """A fit that the judge has found nothing in."""
    options = {"time_limit": 30.0, **fit.pop("options", {})}
    seen = observer.observe("ours", mishaps=mishaps, options=options, **fit)
    found = judge(seen, observer.reference(mishaps=mishaps, **fit))
    assert not found, f"{found}; {seen.raised}"
    return seen


def statuses(seen):
    return [outcome["status"] for outcome in seen.one("outcomes")]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("epoch", [None, 0, 1, 3])
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_worker_killed_in_a_batch(observer, workers, epoch, batch):
    seen = observed(observer, Mishap(BATCH, "kill", epoch, batch), options={"workers": workers})
    assert statuses(seen) == ["ok"] * 4
    assert len(seen.one("deaths")) == 1


@pytest.mark.parametrize("where", [STARTING, IDLE, SENDING])
@pytest.mark.parametrize("big", [False, True])
def test_worker_killed_elsewhere(observer, where, big):
    seen = observed(observer, Mishap(where, "kill"), big=big)
    assert statuses(seen) == ["ok"] * 4
    assert len(seen.one("deaths")) == 1
