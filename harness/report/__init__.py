"""What runs say to people and to other programs: report.html, report.md and comment.md with drawings, and junit.xml."""

from collections.abc import Sequence
from pathlib import Path

from harness.report import github, junit
from harness.report.context import context
from harness.report.render import render, save
from harness.report.runs import read
from harness.run_directory import RunDirectory


def write_reports(directories: Sequence[RunDirectory], out: Path) -> None:
    """Write the reports on one run, or on several side by side, into the folder `out`.

    Reads nothing but the run directories; an interrupted run is reported as far as it got.

    Raises:
        UsageError: a run directory is malformed, or `out` cannot be written.
    """
    runs = read(directories)
    shown = context(runs)
    markdown = render("report.md.jinja", **shown)
    save(
        out,
        {
            "report.html": render("report.html.jinja", **shown),
            "report.md": github.fit(markdown, github.SUMMARY_BYTES, "report.html"),
            "comment.md": github.fit(markdown, github.COMMENT_BYTES, "report.html"),
            "junit.xml": junit.document(runs),
            **{
                each.drawing: render("timeline.svg.jinja", timeline=each.timeline)
                for each in shown["overlaps"]
                if each.drawing
            },
        },
    )
