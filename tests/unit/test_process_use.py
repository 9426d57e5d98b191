"""What processes use, of processes that do something that is known."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.frameworks.process_use import busy_seconds, cpu_seconds, descendants, private_bytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
BURNT_S = 0.1
BURN = f"import time\nwhile time.process_time() < {BURNT_S}: pass\n"
WAIT = "print(flush=True); input()"


@contextmanager
def process(code: str) -> Iterator[int]:
    """Once it has printed a line, until it is let go on."""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate(b"\n")


def test_descendants_are_found_however_far_down() -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"
    before = set(descendants())
    with process(inner) as child:
        (grandchild,) = descendants(child)
        assert set(descendants()) - before == {child, grandchild}
    assert set(descendants()) == before


def test_a_child_s_time_counts_while_it_lives_and_once() -> None:
    # What the kernel counts by ticks may be one short for each of user and system time.
    slack = 2 / os.sysconf("SC_CLK_TCK")
    before, own = cpu_seconds(), os.times()
    with process(BURN + WAIT):
        alive = cpu_seconds() - before
    after, now = cpu_seconds() - before, os.times()
    assert alive >= BURNT_S - slack
    assert after == pytest.approx(sum(now[:4]) - sum(own[:4]), abs=slack)


def test_private_memory_is_what_a_process_has_to_itself() -> None:
    with process(WAIT) as small, process(f"held = b'x' * 2**24; {WAIT}") as large:
        assert private_bytes(large) - private_bytes(small) > 2**24 * 0.9


def test_of_a_process_that_is_gone_nothing_is_told() -> None:
    with process(WAIT) as child:
        pass
    assert private_bytes(child) == 0
    assert descendants(child) == []


def test_cores_are_busy_for_whoever_works_on_them() -> None:
    cores = os.sched_getaffinity(0)
    before = busy_seconds(cores)
    with process(BURN + WAIT):
        assert busy_seconds(cores) - before >= BURNT_S - 2 * len(cores) / os.sysconf("SC_CLK_TCK")


def test_no_core_is_never_busy() -> None:
    assert busy_seconds(()) == 0
