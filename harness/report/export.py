"""What runs found and took as data frames, as CSV and as Parquet. `docs/how_to/analysing.md` says what is in them."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import UsageError
from harness.findings import GRAVITY, EpochVerdict, Finding
from harness.report.runs import Run, read
from harness.report.text import printable
from harness.run_directory import RunDirectory
from harness.scenario import CELL_VERDICTS

CSV, PARQUET = "csv", "parquet"
MISSING = "NaN"  # in CSV
FORMATS = (CSV, PARQUET)

VERDICT = pd.CategoricalDtype([*GRAVITY, *CELL_VERDICTS])
CATEGORY, TEXT, COUNT, NUMBER, BOOL = "category", "string", "Int64", "float64", "bool"

TRIAL = {
    "run": CATEGORY, "trial": TEXT, "scenario": CATEGORY, "document": CATEGORY, "variant": CATEGORY,
    "workload": CATEGORY, "fault": CATEGORY, "placement": CATEGORY,
}  # fmt: skip
FIGURES = {"reported": BOOL, "observed": NUMBER, "truth": NUMBER, "prediction": NUMBER, "bound": NUMBER, "bias": NUMBER}
COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "findings": {
        **TRIAL, "checker": CATEGORY, "aggregate": CATEGORY, "verdict": VERDICT, "expected_verdict": VERDICT,
        "as_expected": BOOL, "epoch": COUNT, **FIGURES, "message": TEXT,
    },
    "passes": {
        **TRIAL, "checker": CATEGORY, "aggregate": CATEGORY, "epoch": COUNT, "turn": COUNT, "verdict": VERDICT,
        **FIGURES, "message": TEXT,
    },
    "timings": {**TRIAL, "environment": CATEGORY, "seconds": NUMBER, "peak_rss_bytes": COUNT},
    "counters": {**TRIAL, "counter": CATEGORY, "count": COUNT},
}  # fmt: skip


def load(*runs: str | Path) -> dict[str, pd.DataFrame]:
    """`tables` of run directories, given by their paths; for a notebook.

    Raises:
        UsageError: one is no run directory, or malformed.
    """
    return tables(read([RunDirectory.open(Path(path)) for path in runs]))


def tables(runs: Sequence[Run]) -> dict[str, pd.DataFrame]:
    """`findings`, `passes`, `timings` and `counters` of all runs, each with the columns of `COLUMNS`."""
    return {
        "findings": _frame("findings", (_finding(run, finding) for run in runs for finding in run.findings)),
        "passes": _frame(
            "passes",
            (_pass(run, finding, each) for run in runs for finding in run.findings for each in finding.per_epoch),
        ),
        "timings": _frame("timings", (_timing(run, timing) for run in runs for timing in run.timings)),
        "counters": _frame(
            "counters",
            (
                {**_trial_of(run, timing), "counter": name, "count": count}
                for run in runs
                for timing in run.timings
                for name, count in timing["counters"].items()
            ),
        ),
    }


def write(runs: Sequence[Run], folder: Path, format: str) -> list[Path]:
    """Write each table into a folder, made if need be; returns the files.

    Raises:
        UsageError: Parquet is asked for and cannot be written here, or the folder cannot be written.
    """
    if format == PARQUET and find_spec("pyarrow") is None:
        raise UsageError(
            "--format parquet needs pyarrow, which is not installed: pip install 'epoch-harness[parquet]'; "
            "--format csv needs nothing else"
        )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in tables(runs).items():
            path = folder / f"{name}.{format}"
            beside = path.with_name(f".{path.name}.new")
            try:
                if format == PARQUET:
                    frame.to_parquet(beside, engine="pyarrow", index=False)
                else:
                    frame.to_csv(beside, index=False, na_rep=MISSING)
                os.replace(beside, path)
            finally:
                beside.unlink(missing_ok=True)
            written.append(path)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}; name another folder with --tables") from error
    return written


def read_csv(path: str | Path) -> pd.DataFrame:
    """A table that was written as CSV, with the types that it had.

    Raises:
        UsageError: its name is that of no table.
    """
    columns = COLUMNS.get(Path(path).stem)
    if columns is None:
        raise UsageError(f"{path} is none of: {', '.join(f'{name}.{CSV}' for name in COLUMNS)}")
    values = pd.read_csv(path, dtype=str, keep_default_na=False)
    parsed: dict[Any, Callable[[str], Any]] = {
        NUMBER: float, COUNT: lambda text: None if text == MISSING else int(text), BOOL: lambda text: text == "True",
    }  # fmt: skip
    return pd.DataFrame(
        {
            column: pd.Series([*map(parsed.get(type, str), values[column])], dtype=type)
            for column, type in columns.items()
        }
    )


def _frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    kept = list(rows)
    make: dict[Any, Callable[[list[Any]], Any]] = {TEXT: _texts, CATEGORY: _texts, VERDICT: _texts}
    return pd.DataFrame(
        {
            column: pd.Series(make.get(type, list)([row[column] for row in kept]), dtype=type)
            for column, type in COLUMNS[name].items()
        }
    )


def _texts(values: list[str]) -> list[str]:
    """Without the lone surrogates that foreign text may hold: no file has a place for them."""
    return [printable(value) for value in values]


def _trial(run: Run, trial: str, scenario: str, workload: str, fault: str, placement: str) -> dict[str, Any]:
    document, *_, variant = scenario.split("/")
    return {
        "run": run.label, "trial": trial, "scenario": scenario, "document": document, "variant": variant,
        "workload": workload, "fault": fault, "placement": placement,
    }  # fmt: skip


def _of_finding(run: Run, finding: Finding) -> dict[str, Any]:
    names = ("trial", "scenario", "workload", "fault", "placement")
    subject = _trial(run, *(getattr(finding, name) for name in names))
    return {**subject, "checker": finding.checker, "aggregate": finding.aggregate}


def _figures(source: Finding | EpochVerdict) -> dict[str, Any]:
    known = {name: getattr(source, name) for name in ("observed", "truth", "prediction", "bound")}
    both = None not in (source.observed, source.truth)
    bias = source.observed - source.truth if both else None  # type: ignore[operator]  # neither is None
    return {"reported": source.observed is not None, **known, "bias": bias}


def _finding(run: Run, finding: Finding) -> dict[str, Any]:
    names = ("verdict", "expected_verdict", "as_expected", "epoch", "message")
    return {**_of_finding(run, finding), **{name: getattr(finding, name) for name in names}, **_figures(finding)}


def _pass(run: Run, finding: Finding, each: EpochVerdict) -> dict[str, Any]:
    names = ("epoch", "turn", "verdict", "message")
    return {**_of_finding(run, finding), **{name: getattr(each, name) for name in names}, **_figures(each)}


def _trial_of(run: Run, timing: Mapping[str, Any]) -> dict[str, Any]:
    """What a timing does not say of its trial, its findings do."""
    first = next(iter(run.by_trial.get(timing["trial"], ())), None)
    rest = (first.workload, first.fault, first.placement) if first else ("", "", "")
    return _trial(run, timing["trial"], timing["scenario"], *rest)


def _timing(run: Run, timing: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_trial_of(run, timing),
        "environment": timing["environment"],
        "seconds": sum(timing["samples"]) if timing["samples"] else None,
        "peak_rss_bytes": timing["peak_rss_bytes"],
    }
