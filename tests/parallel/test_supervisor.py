"""Tickets are settled once, in order, and slots have one user."""

import multiprocessing
import subprocess
import sys
import threading

import pytest

from harness.parallel.supervisor import Supervisor, Ticket
from harness.parallel.worker import Worker


class Answering:
    """Answers with what it is asked; does not come back from `hang`, and from `wait` only when it is told to."""

    told = multiprocessing.Event()

    def __call__(self, request):
        if request[1] == b"hang":
            threading.Event().wait()
        if request[1] == b"wait":
            self.told.wait()
        return request[1]


@pytest.fixture
def supervise():
    """Makes supervisors, and stops them."""
    made = []

    def make(workers=1, time_limit=None, prepare=str):
        made.append(Supervisor(lambda: Worker(Answering, "fork"), workers, workers + 1, 1, time_limit, prepare, []))
        made[-1].begin()
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()


def free_slots(supervisor):
    slots = []
    while (slot := supervisor.free_slot()) is not None:
        slots.append(slot)
    return sorted(slots)


@pytest.mark.parametrize(("request_", "status"), [(b"hang", "timed out"), (b"fine", "ok")])
def test_slot_is_free_once(supervise, request_, status):
    supervisor = supervise(time_limit=1.0)
    supervisor.hand_in(Ticket("an epoch", supervisor.free_slot(), request_))
    assert supervisor.wait(lambda: supervisor.has_settled)
    for ticket in supervisor.settled():
        assert ticket.status == status
        supervisor.give_up(ticket.slot)
    assert free_slots(supervisor) == [0, 1]


def test_what_follows_one_that_hangs_is_given_to_another_worker(supervise):
    supervisor = supervise(time_limit=1.0)
    hanging, next_one = (Ticket(each, supervisor.free_slot(), each) for each in (b"hang", b"fine"))
    supervisor.hand_in(hanging)
    supervisor.hand_in(next_one)
    settled = []
    while len(settled) < 2:
        assert supervisor.wait(lambda: supervisor.has_settled)
        settled += supervisor.settled()
    assert [(ticket.status, ticket.tries) for ticket in settled] == [("timed out", 1), ("ok", 1)]


def test_settled_tickets_that_nobody_took_are_not_lost(supervise):
    supervisor = supervise()
    for number in range(2):
        supervisor.hand_in(Ticket(number, None, b"", "skipped"))
    assert next(supervisor.settled()).about == 0
    assert [ticket.about for ticket in supervisor.settled()] == [1]


def test_slots_are_not_missed_while_they_are_prepared(supervise, monkeypatch):
    asked = threading.Event()

    def prepare(slot):
        asked.wait()

    class Asking(threading.Condition):
        def wait_for(self, predicate, timeout=None):
            asked.set()
            return super().wait_for(predicate, timeout)

    monkeypatch.setattr(threading, "Condition", Asking)
    assert supervise(prepare=prepare).free_slot() is not None


def test_what_has_timed_out_at_the_end_stays_so(supervise):
    supervisor = supervise()
    ticket = Ticket("an epoch", supervisor.free_slot(), b"wait")
    supervisor.hand_in(ticket)
    supervisor.settle_all("timed out", "")
    Answering.told.set()
    supervisor.stop()
    assert ticket.status == "timed out"


def test_may_be_stopped_again(supervise):
    supervisor = supervise()
    supervisor.stop()
    supervisor.stop()
    assert supervisor.pids == []


def test_interpreter_exits_though_nobody_stopped_it():
    lines = (
        "from harness.parallel.supervisor import Supervisor",
        "from harness.parallel.worker import Worker",
        "supervisor = Supervisor(lambda: Worker(lambda: print, 'fork'), 1, 2, 1, None, str, [])",
        "supervisor.begin()",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)
