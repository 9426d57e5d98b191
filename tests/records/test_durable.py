"""The file of records: whole or as it was before, one record an epoch, floats to the last bit."""

import json
import math
import os
import resource

import pytest

from harness.records import durable
from harness.records.durable import DamagedRecords, EpochFile, replace_with, unfinished


@pytest.fixture
def file(tmp_path):
    return EpochFile(tmp_path / "epochs.jsonl")


@pytest.fixture
def disk_full_after():
    """Let no file of this process grow beyond so many bytes: writing more is an OSError, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_file_holds_no_records(file):
    assert file.read() == []


def test_records_come_back(file):
    file.put({"epoch": 0, "metrics": {"loss": 0.1}})
    file.put({"epoch": 1, "metrics": {"loss": 5e-324, "note": None}})
    assert file.read() == [
        {"epoch": 0, "metrics": {"loss": 0.1}},
        {"epoch": 1, "metrics": {"loss": 5e-324, "note": None}},
    ]


def test_a_record_replaces_that_of_its_epoch(file):
    for epoch, loss in [(0, 1.0), (1, 2.0), (0, 3.0)]:
        file.put({"epoch": epoch, "loss": loss})
    assert file.read() == [{"epoch": 0, "loss": 3.0}, {"epoch": 1, "loss": 2.0}]


def test_dropping_starts_with_the_epoch_itself(file):
    for epoch in range(4):
        file.put({"epoch": epoch})
    file.drop_from(2)
    assert file.read() == [{"epoch": 0}, {"epoch": 1}]


def test_starting_at_an_epoch_leaves_those_before(file):
    for epoch in range(3):
        file.put({"epoch": epoch})
    unfinished(file.path).write_text("x")
    file.start_at(2)
    assert file.read() == [{"epoch": 0}, {"epoch": 1}]
    assert os.listdir(file.path.parent) == ["epochs.jsonl"]


def test_starting_after_an_epoch_without_record_warns(file):
    file.put({"epoch": 1})
    with pytest.warns(UserWarning, match=r"epoch 3; .*epochs.jsonl has no record of \[0, 2\]"):
        file.start_at(3)


def test_nan_and_infinities_are_floats_again(file):
    file.put({"epoch": 0, "metrics": {"a": math.nan, "b": math.inf, "c": [-math.inf, -0.0]}})
    (record,) = file.read()
    assert math.isnan(record["metrics"]["a"])
    assert record["metrics"]["b"] == math.inf
    assert [str(value) for value in record["metrics"]["c"]] == ["-inf", "-0.0"]


def test_every_line_is_strict_json(file):
    file.put({"epoch": 0, "loss": math.nan})
    assert json.loads(file.path.read_text(), parse_constant=pytest.fail) == {"epoch": 0, "loss": "nan"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epoch": 0}\n{"epo', "line 2: not the record of an epoch"),
        ('{"epoch": 0}\n{"epoch": 1}', "line 2: cut off"),
        ('{"epoch": 0}\n{"epoch": 0}\n', "line 2: a second record of epoch 0"),
        ('{"loss": 0}\n', "line 1: not the record of an epoch"),
        ("[]\n", "line 1: not the record of an epoch"),
        ("\n", "line 1: not the record of an epoch"),
    ],
)
def test_damage_is_told_with_its_line_and_nothing_is_lost(text, message, file):
    file.path.write_text(text)
    for touch in (file.read, lambda: file.put({"epoch": 9}), lambda: file.drop_from(0)):
        with pytest.raises(DamagedRecords, match=message):
            touch()
    assert file.path.read_text() == text


def test_bytes_that_are_no_text_are_damage(file):
    file.path.write_bytes(b"\xff\n")
    with pytest.raises(DamagedRecords, match="utf-8"):
        file.read()


def test_a_full_disk_is_an_error_and_changes_nothing(file, disk_full_after):
    file.put({"epoch": 0})
    disk_full_after(20)
    with pytest.raises(OSError, match="File too large"):
        file.put({"epoch": 1})
    assert file.read() == [{"epoch": 0}]
    assert os.listdir(file.path.parent) == ["epochs.jsonl"]


def test_what_a_killed_writer_left_is_overwritten(file):
    unfinished(file.path).write_text("x" * 1000)
    file.put({"epoch": 0})
    assert file.read() == [{"epoch": 0}]
    assert os.listdir(file.path.parent) == ["epochs.jsonl"]


def test_an_interrupted_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write(file):
        file.write(b"new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_with(path, write)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_made(tmp_path):
    replace_with(tmp_path / "a" / "b", lambda file: file.write(b"x"))
    assert (tmp_path / "a" / "b").read_text() == "x"


def test_contents_are_flushed_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    done = []
    replace = os.replace
    monkeypatch.setattr(durable.os, "fsync", lambda descriptor: done.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    monkeypatch.setattr(durable.os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    replace_with(tmp_path / "file", lambda file: file.write(b"x"))
    assert done == [str(tmp_path / ".unfinished.file"), "replace", str(tmp_path)]
