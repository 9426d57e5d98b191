"""Makes a virtual environment and has pip fill it, with the installer's own configuration; says what went wrong."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from harness.errors import HarnessError, UndecidedError, UsageError

FEW = 6  # lines of pip's that a message shows; all of them are in its log
WIDE = 240  # of which so much

# What pip 22 to 26 write of what gave no answer in the end. A page that a server says it does not have is nothing of
# it, nor is what was reached at another try.
_NO_ANSWER = (
    r"connection error|timed out|ssl certificate|5\d\d Server Error|Max retries exceeded|[Ff]ailed to establish"
    r"|[Ff]ailed to connect|Connection\w*Error|Timeout\w*Error|Network is unreachable|name resolution|service not known"
)
_UNREACHED = re.compile(rf".*(Could not fetch URL |ERROR: |error: |Retrying \(Retry\(total=0,).*({_NO_ANSWER}).*")
_DISK_FULL = re.compile(r"\[Errno (28|122)\]|No space left on device|Disk quota exceeded")
_OWN_WORDS = re.compile(r"^\s*(ERROR:|error:|×|\w+Error:)")
_SAYS_NOTHING = re.compile(r"ResolutionImpossible|\[present-|subprocess-exited-with-error|metadata-generation-failed")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:,]+ ?")  # before each line of its log


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
    status, said = _run([sys.executable, "-m", "venv", str(folder)])
    log.write_text(said)
    if status != 0:
        _raise_if_full(said, what, log)
        raise HarnessError(f"no environment for {what}: python -m venv failed: {_last(said)}; more is in {log}")
    pinned = folder / "constraints.txt"
    pinned.write_text("".join(f"{line}\n" for line in constraints))
    status, said = _run(
        [*_pip(folder), "--log", str(log), "install", "--no-input", "--constraint", str(pinned), *arguments]
    )
    if status != 0:
        raise _failure(said, what, log)


def remove(folder: Path, name: str) -> None:
    """Uninstall a distribution, if it is there."""
    _run([*_pip(folder), "uninstall", "--yes", name])


def _pip(folder: Path) -> list[str]:
    """-I: what PYTHONPATH names here is not there."""
    return [str(folder / "bin/python"), "-I", "-m", "pip"]


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Its exit status and all it said. Whatever ends the wait, such as Ctrl-C, ends the command and what it started."""
    # It is known before it is started: what ends the wait may come while it starts, when the command runs already.
    process: subprocess.Popen[str] = subprocess.Popen.__new__(subprocess.Popen)
    try:
        process.__init__(  # type: ignore[misc]  # as above
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=surroundings(), start_new_session=True,
        )  # fmt: skip
        said, _ = process.communicate()
    except BaseException:
        if process.pid:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout:
            process.stdout.close()
        raise
    return process.returncode, said


def surroundings() -> Mapping[str, str]:
    """Variables as inherited, PIP_* included, without what would have Python import from elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _failure(said: str, what: str, log: Path) -> HarnessError:
    logged = log.read_text(encoding="utf-8", errors="replace")
    everything = "\n".join(_STAMP.sub("", line) for line in f"{logged}\n{said}".splitlines())
    _raise_if_full(everything, what, log)
    unreached = _UNREACHED.search(everything)
    told = [unreached[0].strip()] if unreached else []
    words = "\n".join(f"  {shortened(line)}" for line in dict.fromkeys([*told, *essential(everything)]))
    rest = f"{words}\n  all that pip said is in {log}"
    if unreached:  # a version that is not where pip did get an answer may be where it got none
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
    if "The conflict is caused by:" in lines:
        block = lines[lines.index("The conflict is caused by:") + 1 :]
        chosen += [line.strip() for line in takewhile(str.strip, block)]
    return [*dict.fromkeys(chosen)][:FEW] or [_last(said)]


def shortened(line: str) -> str:
    """In its middle: what stands last in a list of versions is the newest."""
    return line if len(line) <= WIDE else f"{line[: WIDE // 2]} … {line[-WIDE // 2 :]}"


def _last(said: str) -> str:
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
