"""Makes a virtual environment and has pip fill it, with the installer's own configuration; says what went wrong."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError, UndecidedError, UsageError

FEW = 6  # lines of pip's that a message shows; all of them are in its log

# What pip 22 to 26 write where it got no answer at all; a page that a server says it does not have is none of these.
_UNREACHED = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|ProxyError|Max retries exceeded|"
    r"Network is unreachable|ConnectionResetError|connection error:|confirming the ssl certificate|"
    r"Failed to establish a new connection|Temporary failure in name resolution"
)
_DISK_FULL = re.compile(r"\[Errno (28|122)\]|No space left on device|Disk quota exceeded")
_OWN_WORDS = re.compile(r"^\s*(ERROR:|error:|×|AssertionError|\w+Error:)")
_SAYS_NOTHING = re.compile(r"ResolutionImpossible|subprocess-exited-with-error|^\s*error: metadata-generation-failed")


def make(folder: Path, arguments: Sequence[str], constraints: Sequence[str], log: Path, what: str) -> None:
    """Make an environment in an empty folder, and install `arguments` as pip takes them, held to `constraints`.

    Args:
        log: where everything that pip says goes.
        what: of what it is, for messages.

    Raises:
        UsageError: what is asked for cannot be installed.
        UndecidedError: pip could not reach where it is, or nobody can say whether it could be installed.
        HarnessError: the disk is full, or no environment can be made on this machine.
    """
    log.write_text("")
    made = _run([sys.executable, "-m", "venv", str(folder)], log)
    if made.status != 0:
        _raise_if_full(made.said, what, log)
        raise HarnessError(f"no environment for {what}: python -m venv failed: {_last(made.said)}; more is in {log}")
    pinned = folder / "constraints.txt"
    pinned.write_text("".join(f"{line}\n" for line in constraints))
    # -I: what PYTHONPATH names here is not there.
    command = [str(folder / "bin/python"), "-I", "-m", "pip", "install", "--no-input", "--constraint", str(pinned)]
    done = _run([*command, *arguments], log)
    if done.status != 0:
        raise _failure(done.said, what, log)


class _Done:
    def __init__(self, status: int, said: str) -> None:
        self.status, self.said = status, said


def _run(command: Sequence[str], log: Path) -> _Done:
    """To its end. Whatever ends the wait, such as Ctrl-C, ends the command and all that it started."""
    with log.open("ab") as file:
        before = file.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=_surroundings(),
            start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    with log.open("rb") as file:
        file.seek(before)
        return _Done(status, file.read().decode(errors="replace"))


def _surroundings() -> Mapping[str, str]:
    """As inherited, PIP_* included, without what would have Python import from elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _failure(said: str, what: str, log: Path) -> HarnessError:
    _raise_if_full(said, what, log)
    words = "\n".join(f"  {line}" for line in essential(said))
    rest = f"{words}\n  all that pip said is in {log}"
    # A version that is not among those of the indexes that did answer may be in the one that did not.
    if _UNREACHED.search(said):
        return UndecidedError(f"no environment for {what}: pip could not reach all that it was to ask:\n{rest}")
    return UsageError(f"{what} cannot be installed with the rest that is installed here:\n{rest}")


def _raise_if_full(said: str, what: str, log: Path) -> None:
    if _DISK_FULL.search(said):
        raise HarnessError(
            f"the disk is full: no room for an environment for {what}, which takes about a gigabyte; what was begun is "
            f"removed, what pip said is in {log}"
        )


def essential(said: str) -> list[str]:
    """The few lines of pip's output that say what was wrong: its errors, and what conflicts with what."""
    lines = said.splitlines()
    chosen = [line.strip() for line in lines if _OWN_WORDS.match(line) and not _SAYS_NOTHING.search(line)]
    for number, line in enumerate(lines):
        if line.startswith("The conflict is caused by:"):
            block = lines[number + 1 :]
            end = block.index("") if "" in block else len(block)
            chosen += [f"{line.strip()}" for line in block[:end]]
    chosen = list(dict.fromkeys(chosen)) or [_last(said)]
    unreached = next((line.strip() for line in lines if _UNREACHED.search(line)), None)
    return list(dict.fromkeys([unreached, *chosen] if unreached else chosen))[:FEW]


def _last(said: str) -> str:
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
