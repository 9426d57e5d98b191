"""Every warning is noted once, hidden ones too, and none meets another fate than without that."""

import threading
import warnings

import pytest

from harness.frameworks.python_calls import PythonCalls
from harness.frameworks.warnings_recording import record_warnings, where
from harness.history.reader import read
from harness.history.recorder import Recorder


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


@pytest.fixture
def recorder(path):
    recorder = Recorder(path)
    yield recorder
    recorder.close()


@pytest.fixture
def shown():
    """What was shown, by the filters of Python's own that stand when nobody asks for others."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        yield shown


def noted(path):
    return [(each.value["category"], each.value["message"]) for each in read(path).select("warning", "info")]


def warn(message, category=UserWarning):
    warnings.warn(message, category, stacklevel=1)


def test_a_warning_that_is_shown_is_noted(recorder, path, shown):
    with record_warnings(recorder):
        warn("seen")
    assert noted(path) == [("UserWarning", "seen")]
    assert [str(each.message) for each in shown] == ["seen"]


def test_a_warning_that_filters_hide_is_noted_and_hidden(recorder, path, shown):
    with record_warnings(recorder):
        warn("old", DeprecationWarning)
    assert noted(path) == [("DeprecationWarning", "old")]
    assert shown == []


def test_a_warning_that_raises_is_noted_and_raises(recorder, path, shown):
    warnings.simplefilter("error")
    with record_warnings(recorder), pytest.raises(UserWarning, match="raised"):
        warn("raised")
    assert noted(path) == [("UserWarning", "raised")]


def test_a_warning_is_noted_once_and_shown_as_often_as_without(recorder, path, shown):
    warnings.simplefilter("always")
    with record_warnings(recorder):
        warn("again")
        warn("again")
    assert noted(path) == [("UserWarning", "again")]
    assert len(shown) == 2


@pytest.mark.parametrize(("message", "category"), [("one", UserWarning), ("two", UserWarning), ("one", FutureWarning)])
def test_warnings_differ_by_message_and_category(recorder, path, shown, message, category):
    with record_warnings(recorder):
        warn("one")
        warn(message, category)
    assert noted(path) == list(dict.fromkeys([("UserWarning", "one"), (category.__name__, message)]))


def test_what_was_warned_of_before_is_noted_again(recorder, path, shown):
    warn("before")
    with record_warnings(recorder):
        warn("before")
    assert noted(path) == [("UserWarning", "before")]


def test_a_warning_is_noted_that_a_filter_of_the_trial_itself_shows(recorder, path, shown):
    with record_warnings(recorder):
        warnings.simplefilter("always")
        warn("old", DeprecationWarning)
    assert noted(path) == [("DeprecationWarning", "old")]


def test_a_warning_that_code_catches_is_none(recorder, path, shown):
    with record_warnings(recorder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warn("caught")
    assert noted(path) == []


def test_a_message_names_files_relative_to_the_folder_of_the_trial(recorder, path, shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with record_warnings(recorder):
        warn(f"{tmp_path}/kept exists")
    assert noted(path) == [("UserWarning", "kept exists")]


def test_warnings_of_other_threads_come_last_and_sorted(recorder, path, shown):
    with record_warnings(recorder):
        for message in ("z", "a"):
            thread = threading.Thread(target=warn, args=(message,))
            thread.start()
            thread.join()
        warn("m")
    assert [message for _, message in noted(path)] == ["m", "a", "z"]


def test_a_warning_within_counted_calls_counts_for_no_more(recorder, shown):
    def calls():
        with PythonCalls() as counted:
            warn("hidden", DeprecationWarning)
        return counted.count

    without = calls()
    with record_warnings(recorder):
        assert calls() == without


def test_filters_are_as_before_afterwards(recorder, shown):
    before = (list(warnings.filters), warnings.showwarning)
    with record_warnings(recorder):
        warnings.simplefilter("always")
    assert (list(warnings.filters), warnings.showwarning) == before


def test_without_a_recorder_nothing_is_touched(shown):
    before = (list(warnings.filters), warnings.showwarning)
    with record_warnings(None):
        assert (list(warnings.filters), warnings.showwarning) == before


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("/env/lib/python3.11/site-packages/torch/optim/sgd.py", "torch/optim/sgd.py"),
        ("/usr/lib/python3/dist-packages/numpy/core.py", "numpy/core.py"),
        ("/home/me/training/module.py", "module.py"),
        ("<string>", "<string>"),
    ],
)  # fmt: skip
def test_a_file_is_told_without_where_it_is_installed(file, told):
    assert where(file) == told
