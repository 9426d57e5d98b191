"""Of Markdown for pull requests: what it says first, what it leaves out, and that foreign text stays text."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.findings import Finding
from harness.report import write_reports
from harness.report.cut import COMMENT_BYTES, SUMMARY_BYTES, fit
from harness.report.text import markdown, markdown_code, shortened
from harness.run_directory import RunDirectory

MakeRun = Callable[..., RunDirectory]
MakeFinding = Callable[..., Finding]

CLAIM: dict[str, Any] = {
    "claim": "001.mean", "statement": "It is the mean.", "source": "document 001", "verdict": "refuted",
    "expected_verdict": "holds", "as_expected": False,
    "conditions": [{"asked": "?", "met_on": [], "not_met_on": [], "numbers": {}, "trials": []}],
}  # fmt: skip


def written(out: Path, *runs: RunDirectory) -> tuple[str, str]:
    """report.md and comment.md."""
    write_reports(runs, out)
    report, comment = ((out / name).read_text("utf-8") for name in ("report.md", "comment.md"))
    for text, most in ((report, SUMMARY_BYTES), (comment, COMMENT_BYTES)):
        assert len(text.encode()) <= most
        assert len(re.findall("^<details>", text, re.M)) == len(re.findall("^</details>", text, re.M))
    return report, comment


def test_a_small_report_is_whole_in_a_comment(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    report, comment = written(tmp_path, make_run([finding()]))
    assert comment == report
    assert "Left out" not in comment


def test_the_verdict_comes_first(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    _, comment = written(tmp_path, make_run([finding(), finding(aggregate="f1", verdict="wrong")], claims=[CLAIM]))
    title, _, verdict, *_ = comment.splitlines()
    assert title == "# epoch-harness: 1 finding and 1 claim are not as expected"
    assert verdict.startswith(
        "First of all: aggregate `f1` of `averaging/manual/migrated` on digits/even is wrong, expected exact. "
    )
    order = [
        "Unexpected findings",
        "Unexpected claims",
        "What the documents claim",
        "Which documented ways",
        "Evidence",
    ]
    places = [comment.index(f"## {heading}") for heading in order]
    assert places == sorted(places)


def test_what_changed_between_runs_is_listed(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    a = make_run([finding(), finding(aggregate="f1"), finding(aggregate="only here")], name="a")
    b = make_run([finding(), finding(aggregate="f1", verdict="wrong")], name="b")
    _, comment = written(tmp_path / "out", a, b)
    assert comment.startswith("# epoch-harness: 2 runs side by side\n")
    assert "1 finding is not the same in all runs that have it." in comment
    assert "| `averaging/manual/migrated` | exact | wrong | `f1` on digits/even |" in comment


def test_unexpected_findings_are_the_last_to_be_left_out(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    wrong = [finding(workload=f"digits/wrong-{number}", verdict="wrong") for number in range(150)]
    fine = [finding(workload=f"digits/fine-{number}", aggregate=f"f{number}") for number in range(400)]
    report, comment = written(tmp_path / "out", make_run([*fine, *wrong]))
    listed = comment.partition("## Which documented ways")[0]
    assert all(f"`digits/wrong-{number}`" in listed for number in range(150))
    assert "**Left out here, for want of room:** " in comment
    assert "lines of “Which documented ways give the true number”" in comment
    assert comment.endswith("All of it is in report.html.\n")
    assert "## Known deviations" not in comment
    assert len(report) > len(comment)


def test_of_very_many_unexpected_findings_the_first_are_shown(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    wrong = [finding(workload=f"digits/wrong-{number}", verdict="wrong", message="m" * 150) for number in range(1000)]
    _, comment = written(tmp_path / "out", make_run(wrong))
    shown = comment.count("| `digits/wrong-")
    assert 200 < shown < 1000
    left_out = re.search(r"(\d+) of \d+ lines of “Unexpected findings”", comment)
    assert left_out
    assert int(left_out[1]) >= 1000 - shown


HOSTILE = "@somebody #1 <b>&#64;here</b> | `tick` \x1b[2J $x$ </details> " + "x" * 1_000_000


def test_hostile_text_is_cut_and_stays_text(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run(
        [
            finding(verdict="wrong", message=HOSTILE, aggregate=HOSTILE, workload=HOSTILE, fault=HOSTILE, trial="t"),
            finding(verdict="biased", expected_verdict="biased", message=HOSTILE),
        ],
        claims=[CLAIM | {"statement": HOSTILE, "source": HOSTILE}],
        unavailable=[{"scenario": HOSTILE, "workload": "x", "device": "cpu", "reason": HOSTILE, "fault": "none"}],
    )
    _, comment = written(tmp_path / "out", run)
    prose = re.sub(r"(?s)(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)", "", comment)
    assert not re.search(r"@\w|#\d|(?<!\\)<b>|(?<!\\)&", prose)
    assert "\x1b" not in comment
    assert "more characters" in comment


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@you and a@b.c", "@\u200byou and a@b.c"),
        ("see #12 and #x", "see #\u200b12 and #x"),
        ("&lt;b&gt; $5", r"\&lt;b\&gt; \$5"),
        ("a" * 1_001, "a" * 1_000 + "… and 1 more characters"),
    ],
)
def test_text_in_markdown(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_code_in_markdown_is_cut_too() -> None:
    assert markdown_code("`" * 2_000).endswith(f"… and 1,000 more characters {'`' * 1_001}")


def test_shortened_text_is_one_line() -> None:
    assert shortened("a\n b\tc", 3) == "a b… and 2 more characters"


def test_what_fits_is_not_touched() -> None:
    assert fit("# a\n## b\n", 9, "x.html") == "# a\n## b\n"


def test_sections_share_what_is_left() -> None:
    first, second = (f"## {name}\n" + "a line\n" * 1_000 for name in ("first", "second"))
    text = fit(f"# title\n{first}{second}", 6_000, "all.html")
    shown = text.partition("## second\n")
    assert shown[0].count("a line") > shown[2].count("a line") > 100
    assert "lines of “first”; " in text
    assert len(text.encode()) <= 6_000


def test_a_cut_leaves_fences_details_and_tables_whole() -> None:
    fenced = "```text\n## no heading\n" + "in the block\n" * 1_000 + "```\n"
    table = "| a |\n| --- |\n" + "| row |\n" * 1_000
    for inside in (fenced, table):
        text = fit(f"# title\n## one\n<details><summary>s</summary>\n\nbefore\n\n{inside}\n</details>\n", 4_000, "all")
        assert text.count("</details>") == 1
        assert text.count("```") in (0, 2)
        assert "in the block" not in text
        assert text.count("| a |") == text.count("| --- |")
        assert "“one”" in text
        assert "“no heading”" not in text


def test_a_line_too_long_for_all_the_room_hides_nothing_after_it() -> None:
    text = fit("# title\n## one\n" + "x" * 10_000 + "\n## two\nshown\n", 4_000, "all.html")
    assert "## two\nshown\n" in text
    assert "2 of 2 lines of “one”" in text


def test_of_many_sections_that_are_left_out_the_first_are_named() -> None:
    text = fit("# title\n" + "".join(f"## {n}\n" + "x" * 5_000 + "\n" for n in range(20)), 4_000, "all.html")
    assert "2 of 2 lines of “7”; and of 12 more sections." in text


def test_room_is_counted_in_bytes() -> None:
    text = "# title\n## one\n" + "ü\n" * 3_000
    assert len(text) < 6_100 < len(text.encode())
    assert len(fit(text, 6_100, "all.html").encode()) <= 6_100
