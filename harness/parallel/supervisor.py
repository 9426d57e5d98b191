"""Keeps workers busy, alive and in time: every ticket that is handed in is settled exactly once.

A thread of its own watches the workers, so that one that is done is given the next ticket, and one that died or hangs
is noticed, whatever the main thread does. Processes are started by the main thread only: what is forked while another
thread holds a lock would find it held for ever.
"""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Protocol

from harness.parallel.interrupts import uninterrupted
from harness.parallel.worker import DONE, RAISED, READY, UNUSABLE

GRACE_S = 2.0  # for an idle worker to end its loaders' workers


class AnyWorker(Protocol):
    """A process that validates, wherever it is. Nothing here waits, but for `end`, `forget` and `how_it_died`.

    Attributes:
        pid: where it runs; 0 as long as that is not known.
        files: of which one is readable when something has arrived, or when it is dead.
        died: as far as has been noticed.
    """

    @property
    def pid(self) -> int: ...

    @property
    def files(self) -> tuple[int, ...]: ...

    @property
    def died(self) -> bool: ...

    def send(self, request: Any) -> None:
        """A slot, and what is asked. Raises OSError: it cannot be had; to be killed."""

    def arrived(self) -> list[Any]:
        """Answers: pairs of a kind (`READY`, …) and a value. Raises EOFError: there will be no more; whatever
        unpickling may raise."""

    def how_it_died(self) -> str:
        """In words; of one that is dead or dying."""

    def kill(self) -> None:
        """With all that it started; it is dead soon."""

    def end(self, grace_s: float) -> None:
        """An idle worker in order; any other is killed after `grace_s` seconds."""

    def forget(self) -> None:
        """Once it is dead, or as good as."""


@dataclass
class Ticket:
    """One validation that is asked for.

    Attributes:
        about: whatever the one who hands it in wants to know it by.
        slot: where the weights are; None once it has been given up.
        request: what the worker is sent.
        status: how it ended; empty while it is not settled. `lost`: its worker raised, or died too often; the slot
            still holds the weights, and the one who handed it in decides what becomes of it.
        reply: of the worker, if it is `ok`.
    """

    about: Any
    slot: int | None
    request: bytes
    status: str = ""
    reason: str = ""
    reply: Any = None
    tries: int = 0


@dataclass
class Death:
    """A worker that ended though nobody asked it to. Times are those of `time.monotonic`."""

    pid: int
    how: str
    noticed: float


@dataclass
class _Place:
    """Where a worker works; another takes its place if it dies."""

    worker: AnyWorker | None = None
    ready: bool = False
    ticket: Ticket | None = None
    deadline: float | None = None
    too_slow: bool = False  # hence killed
    failed_starts: int = 0


@dataclass
class _State:
    waiting: deque[Ticket] = field(default_factory=deque)
    free: list[int] = field(default_factory=list)
    open: list[Ticket] = field(default_factory=list)  # handed in, and not yet taken back, in order
    prepared: bool = False  # all slots
    unusable: str = ""
    stopping: bool = False


class Supervisor:
    """Of `workers` processes that validate.

    Args:
        start: makes a worker; called in the thread that calls `begin`, `restart_dead` or `wait`.
        slots: how many sets of weights there is memory for.
        retries: how often a ticket is handed out again after its worker died.
        time_limit: seconds that a worker may take for a ticket, or to start; None for no limit.
        prepare: called with each slot, in the thread that watches, before it is used.
        deaths: is added to.
    """

    def __init__(
        self,
        start: Callable[[], AnyWorker],
        workers: int,
        slots: int,
        retries: int,
        time_limit: float | None,
        prepare: Callable[[int], None],
        deaths: list[Death],
    ) -> None:
        self.deaths = deaths
        self._start = start
        self._slots = slots
        self._retries = retries
        self._time_limit = time_limit
        self._prepare = prepare
        self._places = [_Place() for _ in range(workers)]
        self._state = _State()
        self._changed = threading.Condition()
        self._woken, self._wake = os.pipe()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="watches validation", daemon=True)

    def begin(self) -> None:
        """Start the workers, and watch them."""
        atexit.register(self.stop)  # before the interpreter waits for the processes that it has started
        self.restart_dead()
        self._thread.start()

    def restart_dead(self) -> None:
        """Start a worker where there is none, and something may be left to do for it."""
        with self._changed:
            places = [] if self._state.unusable else [place for place in self._places if place.worker is None]
        for place in places:  # the watching thread leaves alone what has no worker
            with uninterrupted():  # nobody would know of a worker that is not put in its place
                worker = self._start()
                with self._changed:
                    place.worker, place.ready, place.too_slow = worker, False, False
                    place.deadline = self._in(self._time_limit)
        if places:
            self._notify()

    @property
    def pids(self) -> list[int]:
        """Of the workers that there are, as far as they are known."""
        with self._changed:
            return [place.worker.pid for place in self._places if place.worker and place.worker.pid]

    def free_slot(self) -> int | None:
        """One that nobody uses, if there is any; it is the caller's. Waits until all have been prepared, or one is."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.free or self._state.prepared)
            return self._state.free.pop() if self._state.free else None

    def take_back(self) -> Ticket | None:
        """The ticket that has waited longest for a worker, if one does; its slot is the caller's."""
        with self._changed:
            return self._state.waiting.popleft() if self._state.waiting else None

    def hand_in(self, ticket: Ticket) -> None:
        """To be validated, or, if it has a status already, only to be told in its turn."""
        with self._changed:
            self._state.open.append(ticket)
            if not ticket.status:
                if self._state.unusable:
                    self._lose(ticket, self._state.unusable)
                else:
                    self._state.waiting.append(ticket)
        self._notify()

    def give_up(self, slot: int | None) -> None:
        """Nobody reads it any more."""
        with self._changed:
            if slot is not None:
                self._state.free.append(slot)
                self._changed.notify_all()
        self._notify()

    def settled(self) -> Iterator[Ticket]:
        """Those that are settled and before which nothing is open, in the order in which they were handed in; each is
        told once. Those that are not asked for any more stay."""
        while True:
            with self._changed:
                if not self.has_settled:
                    return
                ticket = self._state.open.pop(0)
            yield ticket

    @property
    def has_free_slot(self) -> bool:
        with self._changed:
            return bool(self._state.free)

    @property
    def has_settled(self) -> bool:
        """Whether `settled` would return something."""
        with self._changed:
            return bool(self._state.open and self._state.open[0].status)

    @property
    def open(self) -> int:
        """How many tickets have been handed in and not been told."""
        with self._changed:
            return len(self._state.open)

    def wait(self, until: Callable[[], bool], deadline: float | None = None) -> bool:
        """For `until` to be true, restarting what dies; return whether it is, at the deadline at the latest."""
        while True:
            self.restart_dead()
            with self._changed:
                if until():
                    return True
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if not any(place.worker is None for place in self._places) or self._state.unusable:
                    self._changed.wait(left)

    def drain(self, limit: float | None, release: Callable[[], None]) -> None:
        """Wait for whatever is open, calling `release` to take what is settled; after `limit` seconds, all has timed
        out."""
        deadline = self._in(limit)
        while self.open:
            if not self.wait(lambda: self.has_settled, deadline):
                self.settle_all("timed out", f"it was not done {limit:g} s after the end of training")
            release()

    def settle_all(self, status: str, reason: str) -> None:
        """Whatever is open ends so."""
        with self._changed:
            self._state.waiting.clear()
            for ticket in self._state.open:
                if not ticket.status:
                    ticket.status, ticket.reason = status, reason

    def retire(self, reason: str) -> None:
        """Stop the workers; whatever is handed in, or has been and is not settled, is lost."""
        with self._changed:
            self._lose_all(reason)
        self.stop()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End the workers: those that are idle in order, the others at once. May be called again, above all where it
        was interrupted."""
        with self._changed:
            if not self._state.stopping:
                self._state.stopping = True
                os.write(self._wake, b".")
        if self._thread.is_alive():
            self._thread.join()
        for place in self._places:
            if place.worker is not None:
                place.worker.end(grace_s if place.ready and place.ticket is None else 0.0)
                worker, place.worker = place.worker, None
                worker.forget()
        if not self._closed:
            self._closed = True
            os.close(self._woken)
            os.close(self._wake)
            atexit.unregister(self.stop)

    # What follows runs in the thread that watches, or holds the lock.

    def _watch(self) -> None:
        try:
            self._watch_on()
        except BaseException as error:  # nobody may wait for it for ever
            with self._changed:
                self._state.prepared = True
                self._lose_all(f"what watches the workers failed: {error!r}")
                self._changed.notify_all()
            raise

    def _watch_on(self) -> None:
        for slot in range(self._slots):
            self._prepare(slot)
            if all(ticket.slot != slot for ticket in self._state.open):
                self.give_up(slot)
        with self._changed:
            self._state.prepared = True
            self._changed.notify_all()
        while True:
            with self._changed:
                if self._state.stopping:
                    return
                self._hand_out()
                watched = {file: place for place in self._places if place.worker for file in place.worker.files}
                deadlines = [place.deadline for place in self._places if place.worker and place.deadline is not None]
            left = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            found = wait([self._woken, *watched], left)
            with self._changed:
                if self._woken in found:
                    os.read(self._woken, 4096)
                for place in {id(watched[file]): watched[file] for file in found if file in watched}.values():
                    self._look_at(place)
                self._expire()
                self._changed.notify_all()

    def _notify(self) -> None:
        with self._changed:
            if not self._state.stopping:
                os.write(self._wake, b".")

    @staticmethod
    def _in(seconds: float | None) -> float | None:
        return None if seconds is None else time.monotonic() + seconds

    def _hand_out(self) -> None:
        for place in self._places:
            if place.worker and place.ready and not place.too_slow and not place.ticket and self._state.waiting:
                ticket = self._state.waiting.popleft()
                ticket.tries += 1
                place.ticket, place.deadline = ticket, self._in(self._time_limit)
                try:
                    place.worker.send((ticket.slot, ticket.request))
                except OSError:
                    place.worker.kill()  # which is then seen to

    def _look_at(self, place: _Place) -> None:
        """Messages first: a worker may have answered, and died then."""
        worker = place.worker
        if worker is None:
            return
        try:
            for kind, value in worker.arrived():
                self._take(place, kind, value)
        except EOFError:
            pass  # its death is told by the kernel
        except Exception as error:  # noqa: BLE001  # whatever unpickling may raise
            worker.kill()
            if place.ticket is not None:
                self._lose(place.ticket, f"what the worker sent could not be read: {error!r}")
                place.ticket = None
        if worker.died:
            self._bury(place, worker)

    def _take(self, place: _Place, kind: str, value: Any) -> None:
        place.deadline = None
        if kind == READY:
            place.ready, place.failed_starts = True, 0
        elif kind == UNUSABLE:
            self._lose_all(f"the worker could not be made ready:\n{value}")
        elif place.ticket is not None:
            ticket, place.ticket = place.ticket, None
            if ticket.status:
                return  # it has been settled without the worker
            if kind == DONE:
                ticket.status, ticket.reply = "ok", value
                self._free(ticket)
            elif kind == RAISED:
                self._lose(ticket, value)

    def _bury(self, place: _Place, worker: AnyWorker) -> None:
        noticed = time.monotonic()
        worker.kill()  # what it has started
        how = f"took longer than {self._time_limit:g} s" if place.too_slow else worker.how_it_died()
        worker.forget()
        ticket = place.ticket
        place.worker = place.ticket = place.deadline = None
        if self._state.unusable:
            return
        if not place.too_slow:
            self.deaths.append(Death(worker.pid, how, noticed))
        if not place.ready:
            place.failed_starts += 1
            if place.failed_starts > self._retries:
                self._lose_all(f"the worker {how} before it was ready, {place.failed_starts} times")
        if ticket is None or ticket.status:
            return
        if ticket.tries <= self._retries:
            self._state.waiting.appendleft(ticket)
        else:
            self._lose(ticket, f"its worker {how}" + (f", {ticket.tries} times" if ticket.tries > 1 else ""))

    def _expire(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.worker and place.deadline is not None and place.deadline <= now:
                place.deadline = None
                ticket, place.ticket = place.ticket, None
                if ticket is not None and not ticket.status:
                    ticket.status, ticket.reason = "timed out", f"it took longer than {self._time_limit:g} s"
                    self._free(ticket)
                place.too_slow = True
                place.worker.kill()

    def _free(self, ticket: Ticket) -> None:
        slot, ticket.slot = ticket.slot, None
        if slot is not None:
            self._state.free.append(slot)

    def _lose_all(self, reason: str) -> None:
        """No worker will ever come."""
        self._state.unusable = reason
        self._state.waiting.clear()
        for ticket in self._state.open:
            if not ticket.status:
                self._lose(ticket, reason)

    @staticmethod
    def _lose(ticket: Ticket, reason: str) -> None:
        ticket.status, ticket.reason = "lost", reason
