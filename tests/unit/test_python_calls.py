"""Calls of Python functions are counted exactly, whatever else goes on."""

import sys
import threading
from collections import namedtuple
from types import SimpleNamespace

import pytest

from harness.engine.place import without_stacks
from harness.frameworks import python_calls
from harness.frameworks.python_calls import PythonCalls, Uncounted

Pair = namedtuple("Pair", "first second")  # what is made of source without a file is meant


@pytest.fixture(params=[sys.version_info, (3, 12)], ids=["as here", "as from 3.12 on"], autouse=True)
def version(request, monkeypatch):
    stand_in = SimpleNamespace(version_info=request.param, setprofile=sys.setprofile, getprofile=sys.getprofile)
    monkeypatch.setattr(python_calls, "sys", stand_in)


def nested(depth):
    return nested(depth - 1) if depth else None


def raising():
    raise ValueError


def caught():
    try:
        raising()
    except ValueError:
        return


def generated():
    yield 1
    yield 2


@pytest.mark.parametrize(
    ("what", "calls"),
    [
        (lambda: nested(4), 1 + 5),
        (caught, 2),
        (lambda: list(generated()), 1 + 3),  # each time that it goes on
        (lambda: Pair(1, 2), 1 + 1),
        (lambda: sorted([2, 1]), 1),
        (lambda: without_stacks(""), 1),
    ],
    ids=["recursion", "an exception", "a generator", "made of source", "written in C", "the harness's own"],
)
def test_each_call_counts_once(what, calls):
    with PythonCalls() as found:
        what()
    assert found.count == calls


def test_other_threads_do_not_count():
    go, gone = threading.Event(), threading.Event()

    def other():
        go.wait()
        nested(500)
        gone.set()

    thread = threading.Thread(target=other)
    thread.start()
    with PythonCalls() as found:
        go.set()
        gone.wait()
    thread.join()
    assert found.count < 100


def test_what_is_uncounted_does_not_count_and_the_rest_does():
    with PythonCalls() as found:
        nested(0)
        with Uncounted():
            nested(100)
        nested(0)
    assert found.count == 2


def test_it_can_be_read_while_it_counts():
    with PythonCalls() as found:
        nested(2)
        assert found.count == 3


def test_another_profiler_goes_on_afterwards():
    def other(*_):
        pass

    sys.setprofile(other)
    try:
        with PythonCalls():
            nested(2)
        assert sys.getprofile() is other
    finally:
        sys.setprofile(None)
