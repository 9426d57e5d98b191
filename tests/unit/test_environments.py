"""Environments of an upgrade, built by a stand-in for Python and pip: what is kept, and what goes wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.requirements import Requirement

from harness.errors import HarnessError, UndecidedError, UsageError
from harness.upgrade import environments, installing
from harness.upgrade.checkouts import contents, copied
from harness.upgrade.environments import COMPLETE, Provided, hold, provide
from harness.upgrade.requirements import constraints
from harness.upgrade.sides import Checkout, Interpreter, parse, parse_additions

# Makes an environment by copying itself there, and in it does as pip was told to.
STAND_IN = """#!/bin/sh
case "$*" in
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*" pip "*) echo "$@" >> "$STAND_IN/asked"; . "$STAND_IN/pip.sh" ;;
*) echo "$PYTHONPATH" > "$STAND_IN/path"; cat "$STAND_IN/found.json" ;;
esac
"""
NOT_THERE = """
ERROR: Could not find a version that satisfies the requirement pytorch-lightning==9.9.9 (from versions: 2.6.5, 2.6.6)
ERROR: No matching distribution found for pytorch-lightning==9.9.9
"""
CONFLICT = """Collecting torchmetrics==0.5
ERROR: Cannot install pytorch-lightning==2.4.0 and torchmetrics==0.5 because these have conflicting dependencies.

The conflict is caused by:
    The user requested torchmetrics==0.5
    pytorch-lightning 2.4.0 depends on torchmetrics>=0.7.0

To fix this you could try to:
1. loosen the range of package versions you've specified
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/
"""
NO_BUILD = """  error: subprocess-exited-with-error
  × python setup.py egg_info did not run successfully.
      ModuleNotFoundError: No module named 'pieces'
error: metadata-generation-failed
"""
NO_NETWORK = """Could not fetch URL https://index/simple/x/: connection error: HTTPSConnectionPool - skipping
ERROR: Could not find a version that satisfies the requirement pytorch-lightning==2.5.6 (from versions: none)
"""
NO_PAGE = "Could not fetch URL https://index/simple/x/: 404 Client Error: Not Found for url - skipping\n"
RETRIED = "WARNING: Retrying (Retry(total=4, ...)) after connection broken by 'NewConnectionError()'\n"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"


class StandIn:
    """What its pip says and does, and what was asked of it."""

    def __init__(self, folder):
        self.folder = folder
        self.told = []
        self.pip("")
        self.finds({"numpy": "2.4.6", "pytorch-lightning": "2.5.6", "torchmetrics": "1.9.0"})

    def pip(self, says: str, then: str = "exit 1"):
        (self.folder / "said").write_text(says)
        (self.folder / "pip.sh").write_text(f'cat "$STAND_IN/said"\n{then if says else "exit 0"}\n')

    def finds(self, installed):
        found = {"python": "3.11.7", "new_enough": True, "installed": installed}
        (self.folder / "found.json").write_text(json.dumps(found))

    @property
    def asked(self):
        return (self.folder / "asked").read_text().splitlines() if (self.folder / "asked").exists() else []

    def provide(self, text: str = "2.5.6", *additions: str):
        side = parse(text)
        return provide(side, parse_additions(side, additions), self.told.append)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    folder = tmp_path / "stand_in"
    folder.mkdir()
    (folder / "python").write_text(STAND_IN)
    (folder / "python").chmod(0o755)
    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setenv("EPOCH_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return StandIn(folder)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache/environments"


def folders(cache):
    return [path for path in cache.iterdir() if path.is_dir()]


class TestKept:
    def test_it_is_built_once(self, stand_in, cache):
        first, second = stand_in.provide(), stand_in.provide()
        assert (first.built, second.built, first.python) == (True, False, second.python)
        assert first.python == folders(cache)[0] / "bin/python"
        assert len(stand_in.asked) == 1
        assert [line.split()[0] for line in stand_in.told] == ["building", "…"]

    def test_pip_is_asked_for_lightning_and_what_trials_need(self, stand_in):
        stand_in.provide("2.5.6", "torchmetrics==1.8")
        assert stand_in.asked[0].endswith(" pytorch-lightning==2.5.6 torchmetrics==1.8 torch numpy setuptools<82")

    @pytest.mark.parametrize(
        ("side", "asked"), [("2.5.6", ["install"]), ("lightning==2.5.6", ["install", "uninstall"])]
    )
    def test_lightning_under_the_other_name_is_not_hidden_by_what_it_requires(self, stand_in, side, asked):
        there = '"${0%/bin/python}/lib/python3.11/site-packages/lightning-2.5.6.dist-info"'
        stand_in.pip("installed", then=f"mkdir -p {there}")
        stand_in.provide(side)
        assert [word for line in stand_in.asked for word in line.split() if word.endswith("install")] == asked

    def test_a_title_names_lightning_what_was_added_and_what_trials_run_on(self, stand_in):
        title = "Lightning 2.5.6, torchmetrics 1.9.0, numpy 2.4.6"
        assert stand_in.provide("2.5.6", "torchmetrics==1.9").title == title

    def test_what_pythonpath_names_here_is_not_kept_as_what_is_there(self, stand_in, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", "/elsewhere")
        stand_in.provide()
        assert (stand_in.folder / "path").read_text() == "\n"

    @pytest.mark.parametrize("other", [("2.5.5",), ("2.5.6", "torchmetrics==1.9")])
    def test_what_is_asked_for_otherwise_is_built_otherwise(self, stand_in, cache, other):
        stand_in.provide()
        assert stand_in.provide(*other).built
        assert len(folders(cache)) == 2

    def test_what_is_installed_otherwise_here_since_is_built_anew(self, stand_in, cache, monkeypatch):
        stand_in.provide()
        monkeypatch.setattr(environments, "constraints", lambda _: ["numpy==2.4.7"])
        assert stand_in.provide().built
        assert len(folders(cache)) == 2

    def test_what_is_installed_here_and_not_there_does_not_matter(self, stand_in, monkeypatch):
        stand_in.provide()
        monkeypatch.setattr(environments, "constraints", lambda _: ["numpy==2.4.6", "black==1.0"])
        assert not stand_in.provide().built

    def test_a_wheel_is_known_by_its_content(self, stand_in, tmp_path):
        wheel = tmp_path / "pytorch_lightning-2.5.6-py3-none-any.whl"
        elsewhere = tmp_path / "elsewhere" / wheel.name
        elsewhere.parent.mkdir()
        wheel.write_text("one")
        elsewhere.write_text("one")
        assert (stand_in.provide(str(wheel)).built, stand_in.provide(str(elsewhere)).built) == (True, False)
        wheel.write_text("two")
        assert stand_in.provide(str(wheel)).built

    def test_what_was_begun_and_never_completed_is_removed(self, stand_in, cache):
        begun = stand_in.provide().python.parents[1]
        (begun / COMPLETE).unlink()
        assert stand_in.provide().built
        assert not begun.exists()

    def test_one_whose_python_is_gone_is_built_anew(self, stand_in, cache):
        stand_in.provide().python.unlink()
        assert stand_in.provide().built
        assert len(folders(cache)) == 1

    def test_one_that_another_process_builds_is_waited_for(self, stand_in, cache):
        kept = stand_in.provide().python.parents[1]
        key = kept.name.partition("-")[0]
        kept.rename(cache / "aside")
        other = FileLock(cache / f"{key}.lock")
        other.acquire()

        def tell(line: str) -> None:
            stand_in.told.append(line)
            (cache / "aside").rename(kept)
            other.release()

        assert not provide(parse("2.5.6"), (), tell).built
        assert stand_in.told[-1].startswith("waiting for the environment for Lightning 2.5.6")


class TestFailures:
    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (NOT_THERE, "from versions: 2.6.5, 2.6.6"),
            (CONFLICT, "pytorch-lightning 2.4.0 depends on torchmetrics>=0.7.0"),
            (NO_BUILD, "No module named 'pieces'"),
            (NO_PAGE + NOT_THERE, "No matching distribution"),
            (RETRIED + NOT_THERE, "No matching distribution"),
        ],
    )
    def test_what_cannot_be_installed_is_told_in_pips_words(self, stand_in, cache, said, told):
        stand_in.pip(said)
        with pytest.raises(UsageError, match=r"Lightning 2\.5\.6 cannot be installed .*") as caught:
            stand_in.provide()
        assert told in str(caught.value)
        assert "\n  ERROR: ResolutionImpossible" not in str(caught.value)
        assert folders(cache) == []

    @pytest.mark.parametrize("said", [NO_NETWORK, RETRIED.replace("total=4", "total=0")])
    def test_what_could_not_be_reached_is_undecided(self, stand_in, said):
        stand_in.pip(said)
        with pytest.raises(UndecidedError, match="could not reach"):
            stand_in.provide()

    def test_a_full_disk_is_told(self, stand_in, cache):
        stand_in.pip(FULL)
        with pytest.raises(HarnessError, match="the disk is full") as caught:
            stand_in.provide()
        assert caught.value.exit_code == 4
        assert folders(cache) == []

    def test_what_installs_and_does_not_import_is_no_environment(self, stand_in, cache):
        (stand_in.folder / "found.json").unlink()
        with pytest.raises(UsageError, match=r"built for Lightning 2\.5\.6 cannot import"):
            stand_in.provide()
        assert folders(cache) == []

    def test_an_interrupt_ends_pip_and_leaves_no_environment(self, stand_in, cache, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        # Again and again: what is raised while Python finalises an object goes no further.
        stand_in.pip("so far", then='echo $$ > "$STAND_IN/pid"; while kill -USR1 $PPID; do sleep 10; done')
        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                stand_in.provide()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert folders(cache) == []
        with pytest.raises(ProcessLookupError):
            os.kill(int((stand_in.folder / "pid").read_text()), 0)
        stand_in.pip("")
        assert stand_in.provide().built

    def test_an_interrupt_while_a_command_starts_ends_it_too(self, monkeypatch):
        started = []

        def interrupted(process, *arguments):
            execute(process, *arguments)
            started.append(process.pid)
            raise KeyboardInterrupt

        execute = subprocess.Popen._execute_child
        monkeypatch.setattr(subprocess.Popen, "_execute_child", interrupted)
        with pytest.raises(KeyboardInterrupt):
            installing._run([sys.executable, "-c", "import time; time.sleep(1000)"])
        with pytest.raises(ProcessLookupError):
            os.kill(started[0], 0)

    def test_a_cache_that_cannot_be_written_is_told(self, stand_in, monkeypatch):
        monkeypatch.setenv("EPOCH_HARNESS_CACHE", "/proc/cache")
        with pytest.raises(HarnessError, match=r"no environment for Lightning 2\.5\.6 in /proc/cache") as caught:
            stand_in.provide()
        assert caught.value.exit_code == 4


class TestInterpreters:
    def script(self, folder, text: str):
        path = folder / "interpreter"
        path.write_text(text)
        path.chmod(0o755)
        return Interpreter(path)

    def test_one_is_taken_as_it_is(self, tmp_path):
        installed = {"lightning": "2.3.0", "torch": "2.12.0"}
        found = {"python": "3.12.1", "new_enough": True, "installed": installed}
        python = self.script(tmp_path, f"#!/bin/sh\necho hello\necho '{json.dumps(found)}'")
        provided = provide(python, (), print)
        assert (provided.python, provided.title) == (python.python, f"Lightning 2.3.0 ({python.python}), torch 2.12.0")

    @pytest.fixture
    def path(self, tmp_path, monkeypatch):
        """Two folders on the path of interpreters, of which the first has NumPy, torch and Lightning."""
        first, second = tmp_path / "first", tmp_path / "second"
        for folder, version in ((first, "1"), (second, "2")):
            (folder / f"spare-{version}.dist-info").mkdir(parents=True)
            (folder / f"spare-{version}.dist-info/METADATA").write_text(f"Name: spare\nVersion: {version}\n")
        for name in ("numpy", "torch", "pytorch_lightning"):
            (first / f"{name}.py").write_text("__version__ = '0.1'\n")
        monkeypatch.setenv("PYTHONPATH", f"{first}{os.pathsep}{second}")
        return first

    def test_of_two_distributions_of_one_name_it_has_the_first_on_the_path(self, path):
        assert provide(Interpreter(Path(sys.executable)), (), print).installed["spare"] == "1"

    def test_it_has_what_it_imports_whatever_is_installed(self, path):
        installed = provide(Interpreter(Path(sys.executable)), (), print).installed
        assert [installed[name] for name in ("numpy", "torch", "pytorch-lightning")] == ["0.1"] * 3

    def test_a_distribution_that_is_half_removed_is_left_out(self, path):
        (path / "half-1.dist-info").mkdir()
        assert "half" not in provide(Interpreter(Path(sys.executable)), (), print).installed

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'lightning'\" >&2; exit 1", "No module named"),
            ('#!/bin/sh\necho \'{"python": "3.9.18", "new_enough": false}\'', r"is Python 3\.9\.18; trials need 3\.11"),
            ("#!/bin/sh\necho hello", "not a Python interpreter"),
            ("#!/no/such/shell", "cannot be run"),
        ],
    )
    def test_one_that_cannot_be_used_is_told(self, tmp_path, text, told):
        with pytest.raises(UsageError, match=told):
            provide(self.script(tmp_path, text), (), print)


HAS = {"pytorch-lightning": "2.5.6", "torch": "2.13.0+cpu", "torchmetrics": "1.9.0", "numpy": "2.4.6"}


class TestHeld:
    def provided(self, python="/there/python"):
        return Provided(Path(python), "Lightning 2.5.6", False, HAS)

    def test_a_trial_that_has_what_is_installed(self):
        hold(self.provided(), {**HAS, "torchmetrics": "1.9", "tensorflow": "2.21.0"})

    @pytest.mark.parametrize("name", HAS)
    def test_a_trial_that_imports_another(self, name):
        with pytest.raises(UsageError, match=rf"would run {name} 0\.1, where the environment has {name} \d"):
            hold(self.provided(), {**HAS, name: "0.1"})

    def test_a_trial_that_has_what_is_not_installed(self):
        with pytest.raises(UsageError, match=r"would run lightning 2\.6\.6, where the environment has no lightning"):
            hold(self.provided(), {**HAS, "lightning": "2.6.6"})

    def test_a_version_that_is_none_is_another(self):
        with pytest.raises(UsageError, match="would run numpy unknown"):
            hold(self.provided(), {**HAS, "numpy": "unknown"})

    @pytest.mark.parametrize(
        ("path", "python", "told"),
        [
            ("/elsewhere", "cache/environments/key/bin/python", "unset PYTHONPATH, which is /elsewhere"),
            ("", "cache/environments/key/bin/python", "remove cache/environments/key, and it is built anew"),
            ("", "/there/python", "have /there/python find one of each alone"),
        ],
    )
    def test_what_to_do_is_told(self, tmp_path, monkeypatch, path, python, told):
        monkeypatch.setenv("EPOCH_HARNESS_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("PYTHONPATH", path)
        with pytest.raises(UsageError) as caught:
            hold(self.provided(tmp_path / python), {**HAS, "numpy": "0.1"})
        assert told in str(caught.value).replace(f"{tmp_path}/", "")


class Installed:
    """A distribution that is installed, as `importlib.metadata` describes it."""

    def __init__(self, name, version, requires=(), editable=False):
        self.metadata, self.version, self.requires, self._editable = {"Name": name}, version, requires, editable

    def read_text(self, name):
        return '{"url": "file:///here", "dir_info": {"editable": true}}' if self._editable else None


class TestConstraints:
    HERE = (
        Installed("torch", "2.13.0+cpu", ["nvidia-cudnn==9.1", "sympy>=1.13"]),
        Installed("nvidia_cudnn", "9.1"),
        Installed("sympy", "1.14.0"),
        Installed("pytorch-lightning", "2.6.6"),
        Installed("lightning", "2.6.6"),
        Installed("pip", "26.0"),
        Installed("epoch-harness", "0.1.0", editable=True),
        Installed("half.removed", None),
    )

    def test_everything_is_as_it_is_here_but_lightning_and_what_nobody_has(self):
        assert constraints((), self.HERE) == ["nvidia-cudnn==9.1", "sympy==1.14.0", "torch==2.13.0"]

    def test_of_two_of_one_name_the_first_counts_which_python_imports(self):
        assert constraints((), (Installed("sympy", "1.14.0"), Installed("sympy", "1.13.0"))) == ["sympy==1.14.0"]

    def test_what_is_asked_for_is_free_with_what_it_had_pinned(self):
        assert constraints([Requirement("torch==2.12")], self.HERE) == ["sympy==1.14.0"]

    def test_what_is_asked_for_without_a_version_is_as_it_is_here(self):
        assert "sympy==1.14.0" in constraints([Requirement("sympy")], self.HERE)


class TestCheckouts:
    @pytest.fixture
    def checkout(self, tmp_path):
        for name in (
            "setup.py",
            "src/build/part.py",
            "build/old.py",
            ".git/HEAD",
            "src/__pycache__/a.pyc",
            "v/pyvenv.cfg",
        ):
            (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "x" / name).write_text(name)
        (tmp_path / "x/link.py").symlink_to("setup.py")
        return Checkout(tmp_path / "x")

    def test_it_is_built_from_a_copy_of_its_sources(self, checkout):
        with copied(checkout) as copy:
            files = {str(path.relative_to(copy.folder)) for path in copy.folder.rglob("*") if not path.is_dir()}
        assert files == {"setup.py", "src/build/part.py", "link.py"}

    @pytest.mark.parametrize("changed", ["setup.py", "src/build/part.py", "src/new.py"])
    def test_it_is_known_by_its_sources(self, checkout, changed):
        before = contents(checkout)
        (checkout.folder / changed).write_text("changed")
        assert contents(checkout) != before

    @pytest.mark.parametrize("changed", [".git/HEAD", "build/old.py", "src/__pycache__/a.pyc"])
    def test_what_tools_leave_behind_does_not_matter(self, checkout, changed):
        before = contents(checkout)
        (checkout.folder / changed).write_text("changed")
        assert contents(checkout) == before
