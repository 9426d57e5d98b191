"""Runs unit tests with a mistake planted, in a process forked for every mistake from one that has collected them."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from mutations import PARTS

from harness.oracle import quantities

ROOT = Path(__file__).parents[2]
UNIT_TESTS = [
    "test_oracle.py", "test_across.py", "test_checkers.py", "test_checkers_of_ranks.py",
    "test_checkers_on_schedules.py", "test_checkers_of_twins.py", "test_claims.py", "test_fault_checkers.py",
    "test_loops.py", "test_keras_loop.py",
]  # fmt: skip

Failure = tuple[str, str]  # the id of a test, and how it failed


class UnitTests:
    """The collected tests, in a process of their own.

    Args:
        folder: for what the tests write.
    """

    def __init__(self, folder: Path) -> None:
        self._output = folder / "output"
        processes = multiprocessing.get_context("spawn")
        self._asked, asked = processes.Pipe()
        self._process = processes.Process(target=_collect, args=(asked, folder, self._output), daemon=True)
        self._process.start()
        asked.close()

    def first_failure(self, part: str, name: str, mistake: str) -> Failure | None:
        """Of those that ought to notice the mistake."""
        return self._ask(part, name, mistake)

    def failure_without_mistake(self, test: str) -> Failure | None:
        return self._ask(test)

    def _ask(self, *question: str) -> Failure | None:
        try:
            self._asked.send(question)
            return self._asked.recv()
        except (BrokenPipeError, EOFError):
            raise RuntimeError(f"the unit tests cannot be run:\n{self._output.read_text()}") from None

    def close(self) -> None:
        self._asked.close()
        self._process.join()


def _collect(asked: Connection, folder: Path, output: Path) -> None:
    with open(output, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
    os.chdir(ROOT)
    # The parts were imported to plant mistakes in them, before pytest could look at the asserts in plugins of its own.
    known = "-Wignore:Module already imported:pytest.PytestAssertRewriteWarning"
    tests = [f"tests/unit/{name}" for name in UNIT_TESTS]
    pytest.main(["-q", "--tb=native", "-pno:cacheprovider", known, *tests], plugins=[_Answering(asked)])


class _Answering:
    """A plugin of pytest that runs tests as it is asked to, and not as they come."""

    def __init__(self, asked: Connection) -> None:
        self._asked = asked
        self._failure: Failure | None = None

    def pytest_configure(self) -> None:
        """What fails is enough: which example is the simplest matters to nobody here, and takes long to find."""
        import hypothesis

        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("noticing", database=None, phases=phases)
        hypothesis.settings.load_profile("noticing")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        while True:
            try:
                question = self._asked.recv()
            except EOFError:
                return True
            self._asked.send(self._forked(session, *question))

    def _forked(self, session: pytest.Session, *question: str) -> Failure | None:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = os.fork()
        if process == 0:
            try:
                sender.send(self._answer(session, *question))
            finally:
                os._exit(0)
        sender.close()
        try:
            return receiver.recv()
        finally:
            os.waitpid(process, 0)

    def _answer(self, session: pytest.Session, *question: str) -> Failure | None:
        if len(question) == 1:
            return self._run(session, [item for item in session.items if item.nodeid == question[0]])
        part, name, mistake = question
        (change,) = (each for each in PARTS[part].mistakes[name] if each.__name__ == mistake)
        PARTS[part].plant(name, change)
        return self._run(session, _noticing(session.items, part, name))

    def _run(self, session: pytest.Session, items: list[pytest.Item]) -> Failure | None:
        for item, following in zip(items, [*items[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failure:
                return self._failure
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failure = report.nodeid, report.longreprtext


def _noticing(items: list[pytest.Item], part: str, name: str) -> list[pytest.Item]:
    """The tests that ought to notice: those last that try many examples, and those early that are named after it."""
    plain = name.replace("_", "").lower()
    return sorted(
        (item for item in items if item.nodeid.startswith(PARTS[part].tests) and _is_about(item, part, name)),
        key=lambda item: (hasattr(item.obj, "hypothesis"), plain not in item.nodeid.replace("_", "").lower()),
    )


def _is_about(item: pytest.Item, part: str, name: str) -> bool:
    """Not about another quantity."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return part != "quantities" or parameters.get("quantity") in (None, getattr(quantities, name))
