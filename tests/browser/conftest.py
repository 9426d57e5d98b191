"""Reports on small runs made by hand, and a browser without a network to read them in."""

import runpy
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from benches import BARE, bench, cost
from overlaps import overlap

from harness.findings import Finding
from harness.history.recorder import Recorder
from harness.report import write_reports
from harness.run_directory import RunDirectory

BY_HAND = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "conftest.py"))
FAULTS = ("step.exception", "process.kill")
HOOKS = ("Log.on_train_epoch_end", "Log.on_exception", "on_fit_end")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, run by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install '.[browser]'")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # As root, Chromium cannot have a sandbox.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a file of the disk without a network. That nothing was asked for, and nothing complained of, is checked
    when the test is through."""
    contexts, trouble = [], []

    def open_it(path: Path, anchor: str = "", **options: Any) -> Any:
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: None if request.url.startswith("file:") else trouble.append(request.url))
        page.on("console", lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(path.as_uri() + anchor)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert trouble == []


def figure(**changes: Any) -> Finding:
    return BY_HAND["make_finding"](**changes)


def cell(fault: str, hook: str, verdict: str, **changes: Any) -> Finding:
    nothing = dict.fromkeys(("observed", "truth", "prediction", "bound"))
    return figure(
        **{"expected_verdict": verdict} | nothing | changes,
        fault=fault, checker="cell", aggregate=hook, verdict=verdict, evidence=(2,),
    )  # fmt: skip


def write_run(path: Path, findings: Sequence[Finding], **changes: Any) -> RunDirectory:
    """A run directory in which every trial has a history of three lines, and costs were measured."""
    run = RunDirectory.create(path)
    run.replace_json(run.manifest, BY_HAND["MANIFEST"] | changes)
    run.replace_json(run.claims, [])
    run.replace_json(run.overlap, overlap().to_json())
    run.replace_json(path / "bench.json", bench(cost(BARE, 1.0, 0.98, 1.02), cost("strategies/a/b", 1.2, 1.1, 1.3)))
    run.append(run.findings, *(finding.to_json() for finding in findings))
    for trial, fault in {finding.trial: finding.fault for finding in findings}.items():
        recorder = Recorder(run.history(trial))
        recorder.write("batch", "ok", {"loss": 0.5}, stage="train", epoch=0, batch=0)
        recorder.write("fault", "info", stage="train", epoch=0, batch=1, fault=fault)
        recorder.write("logger", "ok", {"val_loss": 0.5}, epoch=0)
        recorder.close()
    return run


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Path]:
    """The report on runs of these findings each."""

    def make(*runs: Sequence[Finding]) -> Path:
        written = [write_run(tmp_path / f"run-{number}", found) for number, found in enumerate(runs, 1)]
        write_reports(written, tmp_path / "out")
        return tmp_path / "out" / "report.html"

    return make


@pytest.fixture
def findings() -> list[Finding]:
    """Of two workloads without a fault, and of two faults: one figure and one cell are not as expected."""
    return [
        figure(),
        figure(workload="digits/ragged", verdict="biased", expected_verdict="biased", observed=0.375, prediction=0.375),
        figure(scenario="averaging/metric/recommended"),
        figure(scenario="averaging/metric/recommended", workload="digits/ragged", verdict="wrong", observed=0.25),
        *(cell(fault, hook, "fired") for fault in FAULTS for hook in HOOKS[:2]),
        cell(FAULTS[0], HOOKS[2], "fired"),
        cell(FAULTS[1], HOOKS[2], "silent", expected_verdict="fired", message="it ended before"),
    ]
