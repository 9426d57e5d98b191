"""What processes of these tests evaluate: a file that says what to do. Importing this takes no time."""

import os
import pickle
import signal
import threading
import zlib
from functools import partial
from pathlib import Path


def figures_in_the_file():
    """Evaluating a file that reads `2.5` gives that; other words are things that go wrong."""
    return _evaluate


def no_evaluator():
    raise RuntimeError("no data here")


def of_a_fresh_process():
    """Dies with the first file that it is given, if it does not find a note that another process has died before."""
    return _die_once


def _evaluate(path: Path):
    text = path.read_text()
    if text == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "leaves":
        os._exit(3)
    if text == "hangs":
        threading.Event().wait()
    if text == "raises":
        raise ValueError("not a number")
    if text == "of another epoch":
        return "of another", {"loss": 0.0}
    if text == "large":
        return "", {"loss": 1.0, "text": "x" * 2**23}
    return "", {"loss": float(text)}


def _die_once(path: Path):
    note = path.with_name("died")
    if not note.exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _evaluate(path)


def of_weights(build, data, threads):
    """In place of what evaluates a Keras model: the loss is the sum of the weights. `build` may say what goes wrong."""
    return partial(_sum_of, wrong=build(), data=data())


def _sum_of(path: Path, wrong: str, data):
    with path.open("rb") as file:
        weights = pickle.load(file)
    if wrong and path.stem == data["epoch"]:
        path.write_text(wrong)
        return _evaluate(path)
    digest = 0
    for array in weights:
        digest = zlib.crc32(array.tobytes(), digest)
    return f"{digest:08x}", {"loss": float(sum(array.sum() for array in weights))}


def words(text):
    return text
