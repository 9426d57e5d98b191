"""Which engine is asked for, and what cannot be had is told at once."""

import socket
import sys

import pytest
from click.testing import CliRunner

import harness.engine
from harness.cli import cli
from harness.engine.engines import LOCAL, RAY, Where
from harness.errors import UsageError


@pytest.fixture
def without_ray(monkeypatch):
    """As if Ray had never been there, whatever this process has already imported: a package keeps its modules, too."""
    monkeypatch.delitem(sys.modules, "harness.engine.ray_engine", raising=False)
    monkeypatch.delattr(harness.engine, "ray_engine", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)


def test_this_machine_is_always_there():
    Where().check()
    Where().check(sys.executable)


@pytest.mark.parametrize("python", ["/nonexistent/python", "/tmp", __file__])
def test_what_cannot_be_executed_is_no_interpreter(python, tmp_path):
    out = tmp_path / "run"
    result = CliRunner().invoke(cli, ["run", "strategies/*", "--python", python, "--out", str(out)])
    assert isinstance(result.exception, UsageError)
    assert f"--python {python} is no interpreter" in str(result.exception)
    assert not out.exists()


def test_an_address_is_of_a_cluster():
    with pytest.raises(UsageError, match="say --engine ray, too"):
        Where(LOCAL, "10.0.0.1:6379").check()


def test_without_ray_it_is_told_what_to_install(without_ray):
    with pytest.raises(UsageError, match=r"pip install 'epoch-harness\[ray\]'"):
        Where(RAY).check()


@pytest.mark.parametrize("command", [["run", "strategies/*"], ["upgrade", "2.5.6", "2.6.6"]])
def test_the_command_line_says_so_and_makes_nothing(without_ray, command, tmp_path):
    out = tmp_path / "run"
    result = CliRunner().invoke(cli, [*command, "--engine", "ray", "--out", str(out)])
    assert isinstance(result.exception, UsageError)
    assert not out.exists()


def test_an_interpreter_is_of_this_machine():
    with pytest.raises(UsageError, match="--python is an interpreter on this machine"):
        Where(RAY).check("/some/python")


class TestAddress:
    @pytest.fixture(autouse=True)
    def _ray(self):
        pytest.importorskip("ray", reason="Ray is an extra: pip install 'epoch-harness[ray]'")

    @pytest.mark.parametrize("address", ["nonsense", "10.0.0.1", ":6379", "10.0.0.1:x"])
    def test_that_is_none(self, address):
        with pytest.raises(UsageError, match="is no HOST:PORT of a cluster"):
            Where(RAY, address).check()

    def test_where_nothing_listens(self):
        with socket.socket() as taken:  # bound, and never listening
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(UsageError, match=f"no cluster listens at {address} .*; `ray start --head"):
                Where(RAY, address).check()
