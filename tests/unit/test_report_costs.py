import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from benches import BARE, bench, cost

from harness.report import costs, plots, write_reports
from harness.report.runs import read
from harness.run_directory import RunDirectory
from harness.schemas import schema

MakeRun = Callable[..., RunDirectory]


def measured(run: RunDirectory, **changes: Any) -> RunDirectory:
    found = bench(cost(BARE, 1.0, 0.98, 1.02), cost("strategies/log_on_epoch/control", 1.25, 1.2, 1.3), **changes)
    jsonschema.validate(found, schema("bench"))
    (run.path / "bench.json").write_text(json.dumps(found))
    return run


def test_a_strategy_stands_beside_the_noise(make_run: MakeRun) -> None:
    (shown,) = costs.shown(read([measured(make_run([]))]))
    (table,) = shown.tables
    assert table.title == "lightning"
    assert [row[:3] for row in table.rows] == [
        ["bare_loop/control (A/A: against itself)", "1.000 (0.980 to 1.020)", "–"],
        ["log_on_epoch/control", "1.250 (1.200 to 1.300)", "+25 µs"],
    ]
    assert table.rows[1][3:] == ["–", "+12", "+12", "+12", "+4"]


def test_the_page_has_the_drawing_and_its_numbers(make_run: MakeRun, tmp_path: Path) -> None:
    write_reports([measured(make_run([]), too_noisy=["lightning"])], tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert '<section id="costs">' in html
    assert 'class="plot"' in html
    assert "1.250 (1.200 to 1.300)" in html
    assert "too noisy: the bare loop of lightning differs from itself" in html
    assert "10 rounds of pairs of processes, an epoch of 100 batches of 16 of digits each, on Linux" in html


def test_the_markdown_has_the_numbers(make_run: MakeRun, tmp_path: Path) -> None:
    write_reports([measured(make_run([]), too_noisy=["lightning"])], tmp_path / "out")
    markdown = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "## What each strategy costs" in markdown
    assert "| `log_on_epoch/control` | 1.250 (1.200 to 1.300) | +25 µs |" in markdown
    assert "- too noisy: the bare loop of lightning differs from itself" in markdown


def test_without_enough_rounds_no_interval_is_drawn(make_run: MakeRun) -> None:
    run = make_run([])
    (run.path / "bench.json").write_text(json.dumps(bench(cost(BARE, 1.0, None, None))))
    (shown,) = costs.shown(read([run]))
    assert shown.tables[0].rows[0][1] == "1.000 (no interval)"
    assert shown.remarks == ["no intervals of 99 %: there are too few rounds"]


def test_what_was_not_timed_is_told_and_not_drawn(make_run: MakeRun) -> None:
    run = make_run([])
    (run.path / "bench.json").write_text(json.dumps(bench(cost(BARE, 1.0, None, None, time=None))))
    (shown,) = costs.shown(read([run]))
    assert shown.drawing == ""
    assert shown.tables[0].rows[0][1] == "–"


def test_strategies_that_were_only_judged_say_how_to_measure(
    make_run: MakeRun, finding: Callable[..., Any], tmp_path: Path
) -> None:
    run = make_run([finding(scenario=BARE)])
    write_reports([run], tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert f"epoch-harness bench --short --out {run.path}" in html
    assert costs.shown(read([make_run([finding()], name="other")])) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 1}'])
def test_a_malformed_bench_is_told_and_the_rest_is_shown(make_run: MakeRun, text: str) -> None:
    run = make_run([])
    run.bench.write_text(text)
    (found,) = read([RunDirectory.open(run.path)])
    assert costs.shown([found]) == []
    assert "bench.json" in " ".join(found.missing)


HOSTILE = "<script>alert(1)</script> $x_$ ü→ id=\"a\" href='#b' --> ]]>"


def test_drawings_take_the_colours_of_the_page_and_fetch_nothing() -> None:
    of_times = plots.intervals("one", [plots.Interval("torch", HOSTILE, 1.1, 1.0, 1.2, False)])
    of_biases = plots.biases("two", [plots.Bias(HOSTILE, ((0.1, True), (-0.2, False)), HOSTILE)])
    for drawn in (of_times, of_biases):
        shown = ElementTree.fromstring(drawn)
        assert "<script>alert(1)</script> $x_$" in "".join(shown.itertext())
        assert "var(--soft)" in drawn
        for foreign in ("<script", "<style", "<!--", "#0", "url("):
            assert foreign not in drawn
        references = [value for each in shown.iter() for name, value in each.attrib.items() if name.endswith("href")]
        ids = [each.attrib["id"] for each in shown.iter() if "id" in each.attrib]
        assert {reference.removeprefix("#") for reference in references} <= set(ids)
    both = of_times + of_biases
    assert all(both.count(f'id="{each.attrib["id"]}"') == 1 for each in shown.iter() if "id" in each.attrib)


def test_a_drawing_is_the_same_each_time() -> None:
    rows = [plots.Bias("a/b", ((0.1, True),), "+10 %")]
    assert plots.biases("one", rows) == plots.biases("one", rows)
