"""The same things going wrong beside the document's pattern: each is found out, as what it is."""

from pathlib import Path

from mishaps import BATCH, SENDING, TRAINING, Mishap
from verdicts import Verdict, judge

PYTHON = Path("/proc/self/comm").read_text().strip()  # as what is started here is called


def seen_and_found(observer, *mishaps, **fit):
    seen = observer.observe("document", mishaps=mishaps, **fit)
    return seen, judge(seen, observer.reference(mishaps=mishaps, **fit))


def test_nothing_goes_wrong(observer):
    _, found = seen_and_found(observer)
    assert not found


def test_epoch_is_lost_silently_when_its_process_is_killed(observer):
    seen, found = seen_and_found(observer, Mishap(BATCH, "kill", 1))
    assert found == Verdict(unknown={1})
    assert seen.status == 0
    assert not seen.raised


def test_epoch_is_lost_when_its_validation_raises(observer):
    seen, found = seen_and_found(observer, Mishap(BATCH, "raise", 1))
    assert found == Verdict(unknown={1})
    assert not seen.raised


def test_process_killed_while_it_sends_keeps_the_lock_and_the_others_wait_for_ever(observer):
    _, found = seen_and_found(observer, Mishap(SENDING, "kill"))
    assert found == Verdict(unknown={0, 1, 2, 3}, hung=1, processes=[PYTHON] * 3)


def test_joined_before_a_big_result_is_read(observer):
    _, found = seen_and_found(observer, big=True, epochs=2)
    assert found == Verdict(unknown={0, 1}, hung=1, processes=[PYTHON] * 2)


def test_validation_that_hangs_hangs_training(observer):
    _, found = seen_and_found(observer, Mishap(BATCH, "hang", 1))
    assert found == Verdict(unknown={0, 1, 2, 3}, hung=1, processes=[PYTHON])


def test_orphans_when_training_is_killed(observer):
    seen, found = seen_and_found(observer, Mishap(BATCH, "hang", 0), Mishap(TRAINING, "kill", 2, after=1))
    assert seen.status == -9
    assert PYTHON in found.processes


def test_epochs_are_lost_when_training_raises(observer):
    _, found = seen_and_found(observer, Mishap(TRAINING, "raise", 2))
    assert found == Verdict(unknown={0, 1})
