"""Findings and timings as data frames and files: types, what survives, and that the page on them runs as it stands."""

import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import UsageError
from harness.findings import EpochVerdict, Finding
from harness.report import export
from harness.report.export import COLUMNS, CSV, FORMATS, PARQUET, load, read_csv, tables, write
from harness.report.runs import read
from harness.run_directory import RunDirectory

MakeRun = Callable[..., RunDirectory]
MakeFinding = Callable[..., Finding]

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "analysing.md"
INFINITY = float("inf")


@pytest.fixture
def run(make_run: MakeRun, finding: MakeFinding) -> RunDirectory:
    """With every kind of number that there is."""
    nothing: dict[str, Any] = {"observed": None, "truth": None, "prediction": None, "bound": None, "epoch": None}
    epochs = (
        EpochVerdict(0, "exact", 0.1, 0.1, 0.1, 1e-7),
        EpochVerdict(1, "biased", INFINITY, 0.3, None, -0.0, turn=1, message="why"),
    )
    directory = make_run(
        [
            finding(message='a, "b"\nNaN \x00 \ud800 ü', observed=0.1 + 0.2, per_epoch=epochs),
            finding(aggregate="f1", observed=math.nan, truth=INFINITY, bound=-INFINITY),
            finding(checker="hook", aggregate="NaN", verdict="ok", message="NaN", **nothing),
        ]
    )
    timing = {"scenario": finding().scenario, "trial": finding().trial, "environment": "Python 3.11.7"}
    directory.append(
        directory.timings,
        {**timing, "samples": [0.25, 0.5], "counters": {"batches": 3, "log_calls": 2**40}, "peak_rss_bytes": 2**40},
        {**timing, "trial": "lost", "samples": [], "counters": {}, "peak_rss_bytes": None},
    )
    return directory


def written(run: RunDirectory, folder: Path, format: str) -> dict[str, pd.DataFrame]:
    if format == PARQUET:
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    paths = write(read([run]), folder, format)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    reader = read_csv if format == CSV else pd.read_parquet
    return {path.stem: reader(path) for path in paths}


def test_tables_have_the_columns_that_they_promise(run: RunDirectory) -> None:
    found = tables(read([run]))
    assert {name: [*frame.columns] for name, frame in found.items()} == {
        name: [*columns] for name, columns in COLUMNS.items()
    }
    for name, frame in found.items():
        assert "object" not in {str(dtype) for dtype in frame.dtypes}
        assert [str(dtype) for dtype in frame.dtypes] == [
            "category" if isinstance(type, pd.CategoricalDtype) else type for type in COLUMNS[name].values()
        ]


def test_what_is_in_them(run: RunDirectory) -> None:
    found = load(run.path)
    figure, nan, hook = (row for _, row in found["findings"].iterrows())
    assert (figure["document"], figure["variant"], figure["run"]) == ("averaging", "migrated", "run")
    assert figure["bias"] == 0.1 + 0.2 - 0.5
    assert figure["message"] == 'a, "b"\nNaN \\x00 \\ud800 ü'
    assert (nan["reported"], hook["reported"]) == (True, False)
    assert hook["epoch"] is pd.NA
    last = found["passes"].iloc[1]
    assert (last["epoch"], last["turn"], last["verdict"], last["message"]) == (1, 1, "biased", "why")
    took, lost = (row for _, row in found["timings"].iterrows())
    assert (took["seconds"], took["peak_rss_bytes"], took["workload"]) == (0.75, 2**40, "digits/even")
    assert math.isnan(lost["seconds"])
    assert [*found["timings"]["peak_rss_bytes"].isna()] == [False, True]
    assert lost["workload"] == ""
    assert dict(zip(found["counters"]["counter"], found["counters"]["count"], strict=True)) == {
        "batches": 3, "log_calls": 2**40,
    }  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_everything_survives_a_file(run: RunDirectory, tmp_path: Path, format: str) -> None:
    back = written(run, tmp_path / "tables", format)
    for name, frame in tables(read([run])).items():
        pd.testing.assert_frame_equal(back[name], frame, check_categorical=False, check_exact=True)
        assert [str(dtype) for dtype in back[name].dtypes] == [str(dtype) for dtype in frame.dtypes]


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_in_which_nothing_ran_has_empty_tables(make_run: MakeRun, tmp_path: Path, format: str) -> None:
    back = written(make_run([]), tmp_path / "tables", format)
    assert {name: (len(frame), [*frame.columns]) for name, frame in back.items()} == {
        name: (0, [*columns]) for name, columns in COLUMNS.items()
    }


def test_several_runs_are_one_table(make_run: MakeRun, finding: MakeFinding) -> None:
    a, b = make_run([finding()], name="a"), make_run([finding(workload="digits/ragged")], name="b")
    found = load(a.path, b.path)["findings"]
    assert [*found["run"]] == ["a", "b"]
    assert [*found["workload"]] == ["digits/even", "digits/ragged"]


def test_without_pyarrow_it_is_said_how_to_get_it(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'epoch-harness\[parquet\]'"):
        write(read([run]), tmp_path / "tables", PARQUET)
    assert not (tmp_path / "tables").exists()


def test_a_folder_that_cannot_be_made_is_bad_usage(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--tables"):
        write(read([run]), tmp_path / "file" / "tables", CSV)


def test_another_file_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of: findings\.csv"):
        read_csv(tmp_path / "other.csv")


def test_the_command_line_says_what_it_wrote(run: RunDirectory, tmp_path: Path) -> None:
    told = CliRunner().invoke(cli, ["report", str(run.path), "--tables", str(tmp_path / "t")], standalone_mode=False)
    assert told.output.splitlines()[0] == f"table:  {tmp_path / 't' / 'findings.csv'}"
    assert (tmp_path / "t" / "counters.csv").exists()


def test_a_comparison_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "upgrade.json").touch()
    told = CliRunner().invoke(cli, ["report", str(tmp_path), "--tables", str(tmp_path / "t")], standalone_mode=False)
    assert isinstance(told.exception, UsageError)
    assert "--tables is of runs" in str(told.exception)


def test_the_page_on_them_runs_as_it_stands(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="the page reads Parquet")
    found = finding(verdict="biased", expected_verdict="biased", observed=0.25)
    for name, findings in {"A": [found, finding(aggregate="f1")], "B": [finding(), finding(aggregate="f1")]}.items():
        run = make_run(findings, name=f"reports/runs/{name}")
        timing = {"scenario": found.scenario, "trial": found.trial, "environment": "", "samples": [0.5]}
        run.append(run.timings, {**timing, "counters": {"log_calls": 7}, "peak_rss_bytes": 1})
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for language, block in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        if language == "python":
            exec(compile(block, str(PAGE), "exec"), names)
            continue
        for command in filter(None, block.split("\n")):
            program, *arguments = shlex.split(command)
            assert program == "epoch-harness"
            CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
    assert [*names["furthest_off"]] == [0.5]
    assert [*names["changed"].iloc[0]] == ["biased", "exact"]
    assert len(names["changed"]) == 1
    assert names["course"].loc[0].to_dict() == {
        (found.scenario, "f1", "digits/even"): 0.0,
        (found.scenario, "val_loss", "digits/even"): -0.125,
    }
    assert [*names["seconds"]["median"]] == [0.5, 0.5]
    assert [*names["calls"]] == [7, 7]


def test_the_page_names_every_column() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text("utf-8")))
    assert {column for columns in COLUMNS.values() for column in columns} <= named
