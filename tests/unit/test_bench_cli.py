"""Options of `epoch-harness bench` that do not go together, told before anything is measured."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.bench import overlap, strategies
from harness.cli import cli

OVERLAP = "parallel_validation/*"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([OVERLAP, "--batches", "8"], "leave out --batches"),
        ([OVERLAP, "--jobs", "1"], "leave out --jobs"),
        ([OVERLAP, "--short", "--rounds", "2"], "leave out --rounds"),
        ([OVERLAP, "--short", "--train-seconds", "2"], "leave out --train-seconds"),
        (["--short", "--rounds", "2"], "leave out --rounds"),
        (["--short", "--rounds", "0"], "leave out --rounds"),
        (["strategies/*", "--short", "--batches", "8"], "leave out --batches"),
        (["--load", "real"], "leave out --load"),
        (["strategies/bare_loop/*", OVERLAP], "ask for one, then the other"),
        ([OVERLAP, "--load", "heavy"], "heavy"),
        ([OVERLAP, "--train-seconds", "0"], "0"),
        ([OVERLAP, "--out", __file__], "name another folder with --out"),
    ],
)
def test_bad_usage(arguments: list[str], told: str) -> None:
    raised = CliRunner().invoke(cli, ["bench", *arguments], standalone_mode=False).exception
    assert raised is not None
    assert getattr(raised, "exit_code", None) == 2
    assert told in str(raised)


@pytest.mark.parametrize(
    ("arguments", "filters"), [([], strategies.SHORT_FILTERS), (["strategies/*sums*"], ("strategies/*sums*",))]
)
def test_a_short_measurement(arguments: list[str], filters: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[strategies.Request] = []

    def execute(_catalog: object, request: strategies.Request, _tell: object) -> strategies.Bench:
        asked.append(request)
        return strategies.Bench(request)

    monkeypatch.setattr(strategies, "execute", execute)
    CliRunner().invoke(cli, ["bench", "--short", "--jobs", "1", *arguments])
    (request,) = asked
    assert (request.filters, request.jobs) == (filters, 1)
    assert request.rounds < strategies.Request().rounds
    assert request.batches < strategies.Request().batches


@pytest.mark.parametrize(
    ("module", "filter", "name"),
    [(strategies, "strategies/*", "bench.json"), (overlap, OVERLAP, "overlap.json")],
)
@pytest.mark.parametrize("interrupted", [False, True])
def test_what_was_interrupted_replaces_nothing(
    module: Any, filter: str, name: str, interrupted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(_catalog: object, request: Any, _tell: object) -> Any:
        measured = strategies.Bench if module is strategies else overlap.Overlap
        return measured(request, interrupted=interrupted)

    monkeypatch.setattr(module, "execute", execute)
    (tmp_path / name).write_text("measured before")
    ended = CliRunner().invoke(cli, ["bench", filter, "--out", str(tmp_path)])
    kept = (tmp_path / name).read_text() == "measured before"
    assert kept == interrupted
    assert (f"{tmp_path / name} is of an earlier measurement" in ended.output.replace("\n", "")) == interrupted
