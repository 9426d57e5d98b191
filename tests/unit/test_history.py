"""Histories: every bit survives, every operation is a line, and a killed writer leaves a readable prefix."""

import copy
import json
import math
import os
import pickle
import signal
import struct
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.errors import UsageError
from harness.history.encoding import decode_array, decode_number, encode_array, encode_number
from harness.history.reader import abridged, read
from harness.history.recorder import Recorder
from harness.schemas import schema

reproducible = settings(deadline=None, derandomize=True)

# Writes operations until it is killed; the first byte on its standard output says that some are written.
WRITER = """
import sys
from harness.history.recorder import Recorder
recorder = Recorder(sys.argv[1])
for number in range(10**9):
    recorder.write("batch", "ok", {"ids": [number] * 50}, stage="train", epoch=0, batch=number)
    if number == 100:
        print("written", flush=True)
"""

RANKS = """
import os, sys
from harness.history.recorder import Recorder
recorder = Recorder(sys.argv[1])
recorder.write("trial", "invoke")
children = []
for rank in range(3):
    child = os.fork()
    if child == 0:
        recorder.join(rank)
        for number in range(300):
            recorder.write("batch", "ok", {"ids": [number] * 500})
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
recorder.gather(3)
recorder.write("trial", "ok")
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


@pytest.fixture
def recorder(path):
    recorder = Recorder(path)
    yield recorder
    recorder.close()


def through_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


class TestEncoding:
    @reproducible
    @given(value=st.floats())
    def test_a_number_comes_back_bit_for_bit(self, value):
        back = decode_number(through_json(encode_number(value)))
        assert struct.pack("d", back) == struct.pack("d", value if value == value else math.nan)

    @pytest.mark.parametrize("value", [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308])
    def test_numbers_that_are_easily_lost_come_back(self, value):
        assert repr(decode_number(through_json(encode_number(value)))) == repr(value)

    @reproducible
    @given(
        array=arrays.arrays(
            st.sampled_from(["float16", "float32", "float64", "int32", "int64"]), arrays.array_shapes(min_side=0)
        )
    )
    def test_an_array_comes_back_bit_for_bit(self, array):
        back = decode_array(json.loads(encode_array(array)))
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_not_a_number_infinities_and_signed_zeros_come_back_in_an_array(self, dtype):
        array = np.array([math.nan, math.inf, -math.inf, -0.0], dtype=dtype)
        assert decode_array(json.loads(encode_array(array))).tobytes() == array.tobytes()

    def test_an_array_in_another_byte_order_comes_back(self):
        array = np.arange(4, dtype=">f4")
        assert np.array_equal(decode_array(json.loads(encode_array(array))), array)

    def test_an_array_that_is_a_view_comes_back(self):
        array = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-1].T
        assert np.array_equal(decode_array(json.loads(encode_array(array))), array)

    def test_a_precision_that_numpy_lacks_is_named(self):
        encoded = json.loads(encode_array(np.ones(2, dtype=np.float32), "bfloat16"))
        assert (encoded["dtype"], decode_array(encoded).dtype) == ("bfloat16", np.float32)

    def test_the_precision_of_numpys_own_types_is_their_name(self):
        assert json.loads(encode_array(np.ones(2, dtype=np.float16)))["dtype"] == "float16"


class TestRecorder:
    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda recorder: pickle.loads(pickle.dumps(recorder))])
    def test_a_copy_writes_nothing(self, recorder, path, copied):
        copied(recorder).write("batch", "ok", {"ids": [1]})
        assert path.read_bytes() == b""

    def test_every_operation_is_a_line(self, recorder, path):
        for number in range(3):
            recorder.write("batch", "ok", {"ids": [number]})
            assert path.read_bytes().count(b"\n") == number + 1

    def test_a_line_is_a_valid_operation(self, recorder, path):
        value = {"ids": [1], "outputs": json.loads(encode_array(np.ones((1, 2))))}
        recorder.write("batch", "ok", value, stage="train", epoch=0, step=1, batch=0)
        jsonschema.validate(json.loads(path.read_text()), schema("operation"))

    def test_text_beyond_ascii_and_line_breaks_stays_in_one_line(self, recorder, path):
        recorder.write("trial", "fail", {"message": "Größe\nnull\u2028"})
        (operation,) = read(path).operations
        assert operation.value["message"] == "Größe\nnull\u2028"

    def test_what_json_cannot_hold_is_refused_and_leaves_no_trace(self, recorder, path):
        with pytest.raises(ValueError, match="JSON"):
            recorder.write("log", "info", math.nan)
        assert path.read_bytes() == b""

    def test_a_process_that_is_forked_and_does_not_join_writes_nothing(self, recorder, path):
        recorder.write("trial", "invoke")
        child = os.fork()
        if child == 0:
            recorder.write("batch", "ok")
            os._exit(0)
        os.waitpid(child, 0)
        recorder.write("trial", "ok")
        assert [(each.f, each.type) for each in read(path).operations] == [("trial", "invoke"), ("trial", "ok")]

    def test_a_full_disk_is_told(self):
        full = Recorder("/dev/full")
        with pytest.raises(OSError, match="No space left"):
            full.write("batch", "ok")
        full.close()

    def test_a_history_is_continued_not_overwritten(self, recorder, path):
        recorder.write("trial", "ok")
        second = Recorder(path)
        second.write("exit", "info")
        second.close()
        assert [operation.f for operation in read(path).operations] == ["trial", "exit"]

    def test_what_ranks_wrote_is_gathered_rank_by_rank(self, path):
        subprocess.run([sys.executable, "-c", RANKS, str(path)], check=True)
        operations = read(path).operations
        assert [operation.rank for operation in operations] == [0] + [0] * 300 + [1] * 300 + [2] * 300 + [0]
        assert [held.name for held in path.parent.iterdir()] == [path.name]

    def test_a_line_that_a_rank_did_not_end_is_dropped_when_it_is_gathered(self, recorder, path):
        recorder.write("trial", "invoke")
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"i":1,')
        for rank in (1, 2):
            path.with_name(f"{path.name}.rank{rank}").write_bytes(whole + b'{"i":1,')
        recorder.gather(3)
        assert path.read_bytes() == whole * 3

    def test_what_is_gathered_in_parts_is_gathered_whole(self, recorder, path, monkeypatch):
        path.with_name(f"{path.name}.rank1").write_bytes(b"a long line\n")
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
        recorder.gather(2)
        assert path.read_bytes() == b"a long line\n"

    def test_what_cannot_be_gathered_is_kept(self, recorder, path, monkeypatch):
        beside = path.with_name(f"{path.name}.rank1")
        beside.write_bytes(b"a line\n")

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            recorder.gather(2)
        assert beside.read_bytes() == b"a line\n"


class TestReader:
    def test_an_operation_comes_back_with_its_stamp_and_line(self, recorder, path):
        recorder.write("plan", "info")
        recorder.write("batch", "ok", {"ids": [3]}, stage="train", epoch=2, step=7, batch=1, fault="none")
        operation = read(path).operations[1]
        stamp = (operation.stage, operation.epoch, operation.step, operation.batch, operation.fault)
        assert (operation.line, operation.value, stamp) == (2, {"ids": [3]}, ("train", 2, 7, 1, "none"))

    def test_a_killed_writer_leaves_a_readable_prefix(self, path):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"written\n"
            writer.send_signal(signal.SIGKILL)
        operations = read(path).operations
        assert [operation.batch for operation in operations] == list(range(len(operations)))
        assert len(operations) > 100

    @pytest.mark.parametrize("kept", [1, 30, -1])
    def test_a_last_line_that_was_cut_off_is_dropped(self, recorder, path, kept):
        recorder.write("plan", "info")
        whole = path.read_bytes()
        path.write_bytes(whole + whole[:-1][:kept])
        history = read(path)
        assert (len(history.operations), history.truncated) == (1, True)

    def test_a_whole_history_is_not_called_truncated(self, recorder, path):
        recorder.write("plan", "info")
        assert not read(path).truncated

    def test_an_empty_file_is_a_history_of_nothing(self, path):
        path.write_bytes(b"")
        assert read(path).operations == ()

    @pytest.mark.parametrize("garbage", ["not JSON", "[1, 2]", "42", "null", '{"f": "batch"}', ""])
    def test_a_line_that_is_no_operation_is_told_with_file_and_line(self, recorder, path, garbage):
        recorder.write("plan", "info")
        with path.open("a") as file:
            file.write(f"{garbage}\n")
        with pytest.raises(UsageError, match=r"history\.jsonl, line 2, is not an operation of a history"):
            read(path)

    def test_a_binary_file_is_told_by_name(self, path):
        path.write_bytes(os.urandom(16) + b"\xff")
        with pytest.raises(UsageError, match=r"cannot read the history .*history\.jsonl"):
            read(path)

    def test_a_missing_file_is_told_by_name(self, path):
        with pytest.raises(UsageError, match=r"cannot read the history .*history\.jsonl"):
            read(path)

    def test_operations_are_selected_by_name_type_stage_and_epoch(self, recorder, path):
        for stage in ("train", "validation"):
            for epoch in range(2):
                recorder.write("batch", "invoke", stage=stage, epoch=epoch)
                recorder.write("batch", "ok", stage=stage, epoch=epoch)
        (chosen,) = read(path).select("batch", "ok", stage="validation", epoch=1)
        assert chosen.line == 8

    def test_epochs_are_those_in_which_a_batch_was_completed(self, recorder, path):
        recorder.write("batch", "ok", stage="train", epoch=1)
        recorder.write("batch", "ok", stage="train", epoch=0)
        recorder.write("batch", "ok", stage="train", epoch=1)
        recorder.write("batch", "fail", stage="train", epoch=2)
        recorder.write("batch", "ok", stage="validation", epoch=3)
        assert read(path).epochs("train") == [1, 0]

    def test_of_an_operation_that_never_came_there_is_no_first(self, recorder, path):
        recorder.write("trial", "invoke")
        assert read(path).first("trial", "ok") is None


class TestAbridged:
    def test_the_lines_asked_for_are_shown_in_order(self, recorder, path):
        for number in range(5):
            recorder.write("batch", "ok", epoch=number)
        shown = abridged(path, [4, 2])
        assert [(line, json.loads(text)["epoch"]) for line, text in shown] == [(2, 1), (4, 3)]

    def test_arrays_are_shown_by_type_and_shape(self, recorder, path):
        recorder.write("batch", "ok", {"outputs": json.loads(encode_array(np.zeros((3, 2), dtype=np.float32)))})
        ((_, text),) = abridged(path, [1])
        assert json.loads(text)["value"] == {"outputs": "float32[3, 2]"}

    def test_long_lists_are_shown_by_their_beginning(self, recorder, path):
        recorder.write("batch", "ok", {"ids": list(range(100))})
        ((_, text),) = abridged(path, [1])
        assert json.loads(text)["value"] == {"ids": [0, 1, 2, "… 100 in all"]}

    def test_a_line_is_cut_to_the_width_asked_for(self, recorder, path):
        recorder.write("trial", "fail", {"message": "x" * 1000})
        ((_, text),) = abridged(path, [1], width=50)
        assert len(text) == 50

    def test_what_says_nothing_is_left_out(self, recorder, path):
        recorder.write("trial", "ok")
        ((_, text),) = abridged(path, [1])
        assert json.loads(text) == {"i": 0, "rank": 0, "f": "trial", "type": "ok"}

    def test_of_a_file_that_is_gone_nothing_is_shown(self, path):
        assert abridged(path, [1]) == []
