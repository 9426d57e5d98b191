"""Files of a trial have names that are the same whenever it runs."""

import tempfile

import pytest

from harness.frameworks.trial_folder import TrialFolder


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder as the engine has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_files_are_all_that_are_there_sorted(root):
    for name in ("z.txt", "logs/version_0/metrics.csv", "a.ckpt"):
        write(root / name)
    assert TrialFolder().files() == ["a.ckpt", "logs/version_0/metrics.csv", "z.txt"]


def test_a_link_has_its_own_name(root):
    (root / "last.ckpt").symlink_to(write(root / "best.ckpt"))
    assert TrialFolder().files() == ["best.ckpt", "last.ckpt"]
    assert TrialFolder().name(root / "last.ckpt") == "last.ckpt"


def test_what_only_passes_through_is_no_file_of_the_trial(root):
    with tempfile.TemporaryDirectory() as folder:
        write(root / folder / "within.txt")
        write(root / "pymp-x1" / "socket")
        write(root / "where-it-hung.txt")
        assert TrialFolder().files() == []


def test_a_folder_that_others_use_is_not_looked_through(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert TrialFolder().files() is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kept/epoch=1.ckpt", "kept/epoch=1.ckpt"),
        ("/elsewhere/last.ckpt", "last.ckpt"),
        ("tmpab_c12xy/mid_epoch.ckpt", "mid_epoch.ckpt"),
        ("logs/events.out.tfevents.1700000000.host.4711.0", "logs/events.out.tfevents"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_name_is_relative_to_the_folder_or_the_files_own(root, path, name):
    assert TrialFolder().name(path) == name


def test_an_absolute_path_in_the_folder_is_relative_to_it(root):
    assert TrialFolder().name(root / "kept" / "last.ckpt") == "kept/last.ckpt"


def test_a_folder_stays_the_trials_when_the_script_goes_elsewhere(root, monkeypatch):
    folder = TrialFolder()
    write(root / "here.txt")
    (root / "elsewhere").mkdir()
    monkeypatch.chdir(root / "elsewhere")
    assert folder.files() == ["here.txt"]
