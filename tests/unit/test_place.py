"""The place of a fault: the line of somebody's own code, and the step or hook of the history."""

import json
import sys

import pytest

from harness.checkers.place import before
from harness.engine import place
from harness.history.reader import History, Operation


def dump(*threads):
    """As `faulthandler` writes it: each thread from its innermost frame outwards, the main thread last."""
    text = "Timeout (0:00:05)!\n"
    for frames in threads:
        text += "Thread 0x00007f2936899b80 (most recent call first):\n"
        text += "".join(f'  File "{file}", line {line} in some_function\n' for file, line in frames)
    return text


TORCH = ("/venv/lib/python3.11/site-packages/torch/functional.py", 77)
THREADING = ("/usr/lib/python3.11/threading.py", 331)
ENGINE = (place.__file__, 5)
MINE = ("/home/me/project/metrics.py", 12)
SCENARIO = ("/home/me/project/scenarios/mine.py", 3)


class TestLine:
    @pytest.mark.parametrize("installed", [TORCH, THREADING, ENGINE, ("<frozen runpy>", 88)])
    def test_what_is_not_ones_own_is_for_who_called_it(self, installed):
        assert place.of_dump(dump([installed, MINE, SCENARIO, TORCH]), []) == "/home/me/project/metrics.py:12"

    def test_a_file_is_named_as_it_is_imported(self):
        assert place.of_dump(dump([MINE]), ["/home", "/home/me/project"]) == "metrics.py:12"

    def test_ones_own_line_may_be_in_any_thread(self):
        assert place.of_dump(dump([TORCH, MINE], [TORCH, THREADING]), ["/home/me/project"]) == "metrics.py:12"

    def test_without_a_line_of_ones_own_it_is_where_the_main_thread_is(self):
        assert place.of_dump(dump([THREADING], [TORCH, ENGINE]), ["/venv/lib/python3.11"]).endswith("functional.py:77")

    def test_an_empty_dump_has_no_place(self):
        assert place.of_dump("", []) == ""

    def test_an_exception_that_the_standard_library_raises_is_for_who_called_it(self):
        with pytest.raises(ValueError, match="Expecting value") as raised:
            json.loads("?")
        line = sys._getframe().f_lineno - 1
        assert place.of_exception(raised.value).endswith(f"test_place.py:{line}")

    def test_a_stack_in_a_message_is_read_and_left_out(self):
        """As TensorFlow tells what a compiled graph ran into: where the node was made, and what Python said."""
        error = RuntimeError(
            "Graph execution error:\n\n"
            "Detected at node PyFunc defined at (most recent call last):\n"
            f'  File "{SCENARIO[0]}", line 3, in result\n\n  File "{TORCH[0]}", line 7, in make\n\n'
            "ValueError: told why\nTraceback (most recent call last):\n\n"
            f'  File "{MINE[0]}", line 12, in check\n    raise ValueError("told why")\n\n'
            f'  File "{THREADING[0]}", line 331, in wait\n\nValueError: told why\n\n\n'
            "\t [[{{node PyFunc}}]] [Op:__inference_1]"
        )
        assert place.of_exception(error) == "/home/me/project/metrics.py:12"
        assert place.without_stacks(str(error)) == "Graph execution error: ValueError: told why"

    def test_a_message_without_a_stack_stays_as_it_is(self):
        assert place.without_stacks("two\n  lines") == "two\n  lines"

    def test_an_exception_that_was_not_raised_has_no_place(self):
        assert place.of_exception(ValueError()) == ""


def words(*operations):
    """Where a trial stands after these operations, each `f type` in batch 2 of epoch 1's training."""
    history = []
    for line, text in enumerate(operations, 1):
        f, type = text.split()
        history.append(Operation(line, f, type, "train", 1, 5, 2, None, None, 0, 0))
    return before(History(tuple(history)), len(history) + 1).words


class TestStepOrHook:
    @pytest.mark.parametrize(
        ("operations", "told"),
        [
            ([], "before training began"),
            (["trial invoke", "plan info"], "before training began"),
            (["trial invoke", "batch invoke"], "in the train step of batch 2, epoch 1"),
            (["batch invoke", "log info"], "in the train step of batch 2, epoch 1"),
            (["Trainer.fit invoke"], "before training began"),
            (["Trainer.fit invoke", "on_fit_start invoke", "on_fit_start ok"], "after on_fit_start, epoch 1"),
            (["hook invoke", "checkpoint invoke", "checkpoint fail"], "in hook, epoch 1"),
            (["batch invoke", "batch ok"], "after the train step of batch 2, epoch 1"),
            (["batch invoke", "batch ok", "weights info"], "after the train step of batch 2, epoch 1"),
            (["batch invoke", "batch ok", "on_train_epoch_end info", "logger ok"], "after on_train_epoch_end, epoch 1"),
            (["on_train_epoch_end invoke"], "in on_train_epoch_end, epoch 1"),
            (["setup invoke", "configure invoke", "configure ok"], "in setup, epoch 1"),
            (["batch invoke", "batch fail", "on_exception info"], "in the train step of batch 2, epoch 1"),
            (["hook invoke", "batch invoke", "batch fail", "hook fail"], "in the train step of batch 2, epoch 1"),
            (["epoch_end invoke", "batch invoke", "batch fail", "epoch_end ok"], "after epoch_end, epoch 1"),
        ],
    )  # fmt: skip
    def test_it_is_the_innermost_that_was_not_over(self, operations, told):
        assert words(*operations) == told

    def test_what_comes_later_does_not_count(self):
        operations = tuple(
            Operation(line, "batch", type, "sanity", 0, 0, None, None, None, 0, 0)
            for line, type in ((1, "invoke"), (2, "ok"))
        )
        found = before(History(operations), 2)
        assert (found.words, found.epoch, found.lines) == ("in the sanity step, epoch 0", 0, (1,))
