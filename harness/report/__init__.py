"""What runs say to people and to other programs: report.html, report.md with its drawings, and junit.xml."""

from collections.abc import Sequence
from pathlib import Path

from harness.report import junit
from harness.report.context import context
from harness.report.render import render, save, script
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
    save(
        out,
        {
            "report.html": render("report.html.jinja", **shown, **script()),
            "report.md": render("report.md.jinja", **shown),
            "junit.xml": junit.document(runs),
            **{
                each.drawing: render("timeline.svg.jinja", timeline=each.timeline)
                for each in shown["overlaps"]
                if each.drawing
            },
        },
    )
