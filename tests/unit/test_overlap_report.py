"""Validation beside training as people read it: on a terminal, in files, and in the report."""

import json
from xml.etree import ElementTree

import jsonschema
import pytest
from overlaps import cell, overlap, persistent, sequential

from harness.bench.overlap import Overlap, Request, short
from harness.bench.overlap_results import DOCUMENTED, PERSISTENT
from harness.bench.overlap_table import write
from harness.report import write_reports
from harness.report.overlap import remarks, tables, timeline
from harness.report.render import render
from harness.run_directory import RunDirectory
from harness.schemas import schema


def rows(found, table=0):
    return {row[0]: row for row in tables(found)[table].rows}


@pytest.mark.parametrize(
    "found",
    [
        overlap(),
        overlap(cell(rounds=3, documented=persistent(9.0, figures=[])), hand_offs=[cell()], cuda="there is none"),
        overlap(left_out={DOCUMENTED: "it raises"}, memory={PERSISTENT: {"own": 2**20, "workers": [2**20]}}),
        Overlap(Request(), interrupted=True),
        Overlap(short((), "cpu", 0, 60.0)),
    ],
)
def test_what_is_written_follows_the_schema(found, tmp_path):
    write(found, tmp_path)
    jsonschema.validate(json.loads((tmp_path / "overlap.json").read_text()), schema("overlap"))


def test_the_schema_itself_is_valid():
    jsonschema.Draft202012Validator.check_schema(schema("overlap"))


def test_a_strategy_without_numbers_must_say_why():
    found = overlap().to_json()
    found["cells"][0]["rows"][-1]["numbers"] = None
    assert list(jsonschema.Draft202012Validator(schema("overlap")).iter_errors(found))


def test_a_strategy_is_told_with_the_bound_of_its_speed_up():
    found = overlap(cell(persistent=persistent(5.0))).to_json()
    _, agrees, time, speed_up, bound, efficiency, *_ = rows(found)["persistent_worker/recommended"]
    assert (agrees, time, speed_up, bound, efficiency) == ("bitwise", "5.00 s", "1.20", "1.33", "0.67")


def test_a_strategy_that_does_not_agree_is_told_without_numbers():
    found = overlap(cell(persistent=persistent(weights=["x"] * 4))).to_json()
    _, reason, *numbers = rows(found)["persistent_worker/recommended"]
    assert "weights differ in epoch 0" in reason
    assert set(numbers) == {"–"}


def test_a_gpu_that_is_not_there_is_told():
    titled = {table.title: table for table in tables(overlap(cuda="there is none").to_json())}
    assert {row[1] for row in titled["On a GPU"].rows} == {"unavailable: there is none"}


@pytest.mark.parametrize(("busy_s", "said"), [(1.0, False), (4.0, True)])
def test_without_two_free_cores_it_is_said_that_nothing_can_be_won(busy_s, said):
    measured = cell(sequential=sequential(busy_s=busy_s), persistent=persistent(busy_s=busy_s))
    assert any("cannot win" in line for line in remarks(overlap(measured).to_json())) == said


def test_disturbed_rounds_are_counted_in_the_title():
    found = overlap(cell(rounds=3, persistent=persistent(busy_s=3.0))).to_json()
    assert "3 of 3 rounds disturbed" in tables(found)[0].title


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (overlap(left_out={DOCUMENTED: "it raises"}), f"not measured: {DOCUMENTED}: it raises"),
        (overlap(interrupted=True), "interrupted; this was measured by then"),
        (Overlap(Request()), "nothing was measured, so nothing is decided"),
    ],
)
def test_what_is_missing_is_told(found, told):
    assert told in remarks(found.to_json())


def test_the_timeline_has_every_epoch_trained_and_validated():
    drawn = timeline(overlap().to_json())
    bars = [(bar.stage, bar.epoch) for bar in drawn.bars]
    epochs = [1, 2, 3, 4]
    trained, validated = [("train", epoch) for epoch in epochs], [("validation", epoch) for epoch in epochs]
    assert bars == trained + validated + trained + trained + validated


def test_the_timeline_ends_before_what_takes_very_long():
    drawn = timeline(overlap(cell(documented=persistent(60.0))).to_json())
    (told, _), *others = drawn.ends
    assert "60.00 s" in told
    assert not others
    assert all(bar.x + bar.width <= 1000 for bar in drawn.bars)


def test_what_is_validated_at_once_is_drawn_below_each_other():
    at_once = [{"epoch": epoch, "whole": True, "worker": epoch, "start_s": 4.0, "end_s": 5.0} for epoch in range(4)]
    drawn = timeline(overlap(cell(persistent=persistent(5.0, validation=at_once))).to_json())
    assert len({bar.y for bar in drawn.bars[-4:]}) == 4


def test_the_drawing_is_svg_and_escapes_what_it_is_told():
    drawn = timeline(overlap().to_json())
    hostile = type(drawn)(**vars(drawn) | {"labels": [("<script>&", 0.0)]})
    root = ElementTree.fromstring(render("timeline.svg.jinja", timeline=hostile))
    assert "<script>&" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_report_shows_what_was_measured_in_its_run(make_run, finding):
    directory = make_run([finding()])
    write(overlap(), directory.path)
    write_reports([directory], directory.path)
    html, markdown = ((directory.path / name).read_text() for name in ("report.html", "report.md"))
    assert "<svg" in html
    assert "persistent_worker/" in html
    assert "](overlap.svg)" in markdown
    assert (directory.path / "overlap.svg").exists()


def test_several_runs_have_a_drawing_each(make_run, finding, tmp_path):
    directories = [make_run([finding()], name=name) for name in ("a", "b")]
    for directory in directories:
        write(overlap(), directory.path)
    write_reports(directories, tmp_path / "both")
    assert sorted(path.name for path in (tmp_path / "both").glob("*.svg")) == ["overlap-1.svg", "overlap-2.svg"]


def test_a_report_without_it_says_how_to_get_it(make_run, finding):
    directory = make_run([finding(scenario="parallel_validation/thread/migrated")])
    write_reports([directory], directory.path)
    for name in ("report.html", "report.md"):
        assert "epoch-harness bench" in (directory.path / name).read_text()


def test_a_report_on_other_things_says_nothing_of_it(make_run, finding):
    directory = make_run([finding()])
    write_reports([directory], directory.path)
    assert "parallel validation" not in (directory.path / "report.md").read_text()


def test_what_does_not_follow_the_schema_is_not_reported(make_run, finding):
    directory = make_run([finding()])
    directory.replace_json(directory.overlap, {"schema_version": 1})
    write_reports([RunDirectory.open(directory.path)], directory.path)
    text = (directory.path / "report.md").read_text()
    assert "overlap.json, record 1, at" in text
    assert "parallel validation" not in text
