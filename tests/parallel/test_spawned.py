"""A worker that is spawned ends with whoever started it, however that ends; and it starts at once."""

import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

import evaluators
import pytest

SOON_S = 60.0  # nothing here takes that long; it ends a test that would hang
SCRIPT = """
import sys
import evaluators
from harness.parallel.memory import Memory
from harness.parallel.supervisor import Supervisor, Ticket
from harness.parallel.worker import Worker

if __name__ == "__main__":
    memory = Memory(1)
    make = evaluators.Sums(bytes.fromhex(sys.argv[1]), None, memory)
    supervisor = Supervisor(lambda: Worker(make, "spawn"), 1, 1, 0, None, evaluators.same, [])
    supervisor.begin()
    slot = supervisor.free_slot()
    memory.write(slot, [])
    supervisor.hand_in(Ticket(None, slot, b""))
    print(*supervisor.pids, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def started_by_a_script(tmp_path):
    """A function: a script that starts a process, and that process as a file that is readable once it has ended."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])

    @contextmanager
    def start(wrong):
        content = pickle.dumps((partial(evaluators.same, wrong), partial(evaluators.same, 0)))
        with subprocess.Popen(
            [sys.executable, str(script), content.hex()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
        ) as starter:  # fmt: skip
            process = os.pidfd_open(int(starter.stdout.readline()))
            yield starter, process
            os.close(process)

    return start


@pytest.mark.parametrize("wrong", ["hangs", ""])
def test_it_ends_when_the_process_that_started_it_is_killed(wrong, started_by_a_script):
    with started_by_a_script(wrong) as (starter, process):
        starter.send_signal(signal.SIGKILL)
        assert wait([process], SOON_S), "it still runs"


def test_it_ends_with_a_script_that_does_not_stop_it(started_by_a_script):
    with started_by_a_script("hangs") as (starter, process):
        starter.stdin.close()
        assert starter.wait(SOON_S) == 0
        assert wait([process], 0), "it still runs"


def test_no_framework_is_imported_for_it():
    """Whoever trains with Keras need not have Lightning, and the process starts at once."""
    modules = ("channel", "evaluation", "memory", "options", "relay", "supervisor", "worker")
    asked = f"""
import sys, {", ".join(f"harness.parallel.{name}" for name in modules)}
print({{"torch", "lightning", "pytorch_lightning", "keras", "tensorflow", "ray"}} & {{*sys.modules}})"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
