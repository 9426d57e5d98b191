"""A worker on a Ray cluster does what a supervisor needs of a worker, however it or its actor ends."""

import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pytest
from relayed import DIE, ECHO, HANG, RAISE, STOP, UNREADABLE

from harness.parallel.worker import DONE, RAISED, READY, UNUSABLE

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'epoch-harness[ray]'")
from harness.parallel import ray_worker  # noqa: E402  # it is there now
from harness.parallel.ray_cluster import joined  # noqa: E402  # as above
from harness.parallel.ray_worker import RayWorker, ray_workers  # noqa: E402  # as above

SOON_S = 60.0  # nothing here takes that long; it ends a test that would hang
WEIGHTS = np.arange(5, dtype=np.uint8)

# Ray warns of what it will do in later versions, and leaves sockets to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def temporary(tmp_path_factory) -> Iterator[Path]:
    """The temporary folder of a node."""
    folder = tmp_path_factory.mktemp("node")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.delenv("RAY_ADDRESS", raising=False)
        with joined(2, 1, 0):
            yield folder


@pytest.fixture
def start(temporary):
    """Starts a worker, of which nothing is left."""
    workers: list[RayWorker] = []

    def start(content: bytes = ECHO) -> RayWorker:
        with ray_workers(content, lambda slot: WEIGHTS + slot, 1, 1, 0) as starting:
            workers.append(starting())
        return workers[-1]

    yield start
    for worker in workers:
        worker.end(0.0)
        worker.forget()


def taken(worker: RayWorker) -> list:
    """What comes next, before its death."""
    while not worker.died:
        assert wait(worker.files, SOON_S), "nothing came"
        if messages := worker.arrived():
            return messages
    return []


def asked(worker: RayWorker, request: bytes) -> list:
    if not worker.pid:
        assert taken(worker) == [(READY, None)]
    worker.send((0, request))
    return taken(worker)


def end_of(pid: int) -> int:
    """A file that is readable once a process has ended."""
    return os.pidfd_open(pid)


def actor_of(worker: RayWorker) -> int:
    return int(Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_weights_and_requests_come_and_answers_go(start):
    worker = start()
    assert asked(worker, b"one") == [(DONE, (bytes(WEIGHTS), b"one"))]
    worker.send((1, b"two"))
    assert taken(worker) == [(DONE, (bytes(WEIGHTS + 1), b"two"))]


def test_what_an_answer_raises_is_an_answer(start):
    ((kind, words),) = asked(start(), RAISE)
    assert kind == RAISED
    assert words.endswith("ValueError: not a number\n")


def test_what_cannot_be_made_is_told(start):
    ((kind, words),) = taken(start(UNREADABLE))
    assert kind == UNUSABLE
    assert "no number" in words


def test_the_kernel_tells_of_its_death(start):
    worker = start()
    assert asked(worker, DIE) == []
    assert worker.how_it_died() == "was killed by SIGKILL"


@pytest.mark.parametrize("request_", [b"", HANG])
def test_death_of_its_actor_is_its_own(start, request_):
    worker = start()
    asked(worker, b"to begin with")
    if request_:
        worker.send((0, request_))
    process, actor = end_of(worker.pid), actor_of(worker)
    os.kill(actor, signal.SIGKILL)
    assert taken(worker) == []
    assert worker.how_it_died().startswith("was lost: The actor is dead because its worker process has died")
    assert wait([process], SOON_S), "it still runs"
    os.close(process)


@pytest.mark.parametrize("request_", [HANG, STOP])
def test_it_is_killed_whatever_it_does(start, temporary, request_):
    worker = start()
    asked(worker, b"to begin with")
    worker.send((0, request_))
    process = end_of(worker.pid)
    worker.kill()
    assert taken(worker) == []
    assert worker.how_it_died() == "was killed by SIGKILL"
    assert wait([process], SOON_S), "it still runs"
    assert list(temporary.glob("validation-*")) == []
    os.close(process)


def test_an_idle_one_ends_in_order(start, temporary):
    worker = start()
    asked(worker, b"to begin with")
    process = end_of(worker.pid)
    worker.end(SOON_S)
    assert worker.how_it_died() == "ended with status 0"
    assert wait([process], 0)
    assert list(temporary.glob("validation-*")) == []
    os.close(process)


def test_a_node_that_does_not_answer_is_given_up(start, monkeypatch):
    worker = start()
    asked(worker, b"to begin with")
    process, actor = end_of(worker.pid), actor_of(worker)
    os.kill(actor, signal.SIGSTOP)
    monkeypatch.setattr(ray_worker, "ANSWER_S", 0.1)
    worker.kill()
    assert taken(worker) == []
    assert worker.how_it_died() == "did not end within 0.1 s"
    worker.forget()
    assert wait([process], SOON_S), "it still runs"
    os.close(process)
