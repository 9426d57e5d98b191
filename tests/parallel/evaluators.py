"""In place of what evaluates a Keras model: the loss is the sum of the weights. Importing this takes no time."""

import os
import pickle
import signal
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from harness.parallel.evaluation import Figures, digest
from harness.parallel.memory import Memory


@dataclass(frozen=True)
class Sums:
    """`build` returns what goes wrong, and `data` when: the how manieth evaluation it is that a process begins."""

    content: bytes
    threads: object
    memory: Memory

    def __call__(self):
        build, data = pickle.loads(self.content)
        return _Sum(build(), data(), self.memory)


class _Sum:
    def __init__(self, wrong, turn, memory):
        self.wrong, self.turn, self.memory, self.turns = wrong, turn, memory, count()

    def __call__(self, request):
        if next(self.turns) == self.turn:
            go_wrong(self.wrong)
        weights = self.memory.read(request[0])
        return Figures({"loss": float(sum(array.sum() for array in weights))}, digest(weights))


def go_wrong(how):
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "hangs":
        threading.Event().wait()
    elif how == "raises":
        raise ValueError("not a number")
    elif isinstance(how, Path):  # a pipe: until its other end is opened, and closed
        how.read_bytes()


def same(value):
    return value
