"""What BASELINE and CANDIDATE may be, and what may be asked for besides."""

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from harness.errors import UsageError
from harness.upgrade.sides import Checkout, Interpreter, Release, Wheel, parse, parse_additions

WHEEL = "pytorch_lightning-2.5.6-py3-none-any.whl"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with one of each."""
    monkeypatch.chdir(tmp_path)
    for name in (WHEEL, "torchmetrics-1.8.2-py3-none-any.whl", "lightning.whl", "text"):
        (tmp_path / name).touch()
    for name in ("project", "setup", "2.5.6", "venv/bin", "neither"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "project/pyproject.toml").touch()
    (tmp_path / "setup/setup.py").touch()
    (tmp_path / "2.5.6/setup.py").touch()
    (tmp_path / "venv/pyvenv.cfg").touch()
    (tmp_path / "python").touch(0o755)
    (tmp_path / "venv/bin/python").symlink_to(tmp_path / "python")
    return tmp_path


@pytest.mark.parametrize("text", ["2.5.6", "2.7.0rc1", "2.0"])
def test_a_version(text):
    assert parse(text) == Release(Version(text))


@pytest.mark.parametrize("name", ["lightning", "pytorch-lightning"])
def test_a_version_under_either_name(name):
    assert parse(f"{name}==2.5.6") == Release(Version("2.5.6"), name)


def test_a_folder_that_is_called_like_a_version_is_named_by_a_path(folder):
    assert (parse("2.5.6"), parse("./2.5.6")) == (Release(Version("2.5.6")), Checkout(folder / "2.5.6"))


def test_what_lies_somewhere(folder):
    assert parse(WHEEL) == Wheel(folder / WHEEL, "pytorch-lightning")
    assert parse("project") == Checkout(folder / "project")
    assert parse(f"{folder}/setup") == Checkout(folder / "setup")
    assert parse("python") == Interpreter(folder / "python")


def test_the_interpreter_of_a_virtual_environment_is_left_the_link_that_it_is(folder):
    assert parse("venv") == parse("venv/bin/python") == Interpreter(folder / "venv/bin/python")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a side is empty"),
        ("newest", "no version"),
        ("torch==2.5.6", "no version"),
        ("lightning>=2.5.6", "no version"),
        ("2.5.x", "no version"),
        ("there/is/none", "there is no there/is/none"),
        ("gone.whl", "there is no wheel"),
        ("lightning.whl", "not called as wheels are"),
        ("torchmetrics-1.8.2-py3-none-any.whl", "a wheel of torchmetrics"),
        ("neither", "neither a checkout nor a venv"),
        ("text", "neither a wheel nor executable"),
    ],
)
def test_anything_else_is_refused(folder, text, told):
    with pytest.raises(UsageError, match=told):
        parse(text)


def test_requirements_and_wheels_are_added(folder):
    wheel = "torchmetrics-1.8.2-py3-none-any.whl"
    added = parse_additions(parse("2.5.6"), [wheel, "torch==2.12"])
    assert added == (Wheel(folder / wheel, "torchmetrics"), Requirement("torch==2.12"))


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["torch=2.12"], "not a requirement"),
        (["pytorch_lightning==2.4.0"], "BASELINE and CANDIDATE say which Lightning"),
        (["torch==2.12", "Torch<3"], "torch is asked for twice"),
        (["torch @ file:///x.whl"], "path of the wheel alone"),
    ],
)
def test_what_cannot_be_added_is_refused(texts, told):
    with pytest.raises(UsageError, match=told):
        parse_additions(parse("2.5.6"), texts)


def test_nothing_is_added_to_an_interpreter(folder):
    with pytest.raises(UsageError, match=r"python is used as it is, and cannot be given torchmetrics==1\.8"):
        parse_additions(parse("python"), ["torchmetrics==1.8"])
