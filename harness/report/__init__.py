"""What runs say to people and to other programs: report.html, report.md and comment.md with drawings, and junit.xml."""

from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.report import junit
from harness.report.context import context
from harness.report.cut import COMMENT_BYTES, SUMMARY_BYTES, fit
from harness.report.render import render, save, script
from harness.report.runs import Run, read
from harness.run_directory import RunDirectory


def write_reports(directories: Sequence[RunDirectory], out: Path) -> list[Run]:
    """Write the reports on one run, or on several side by side, into the folder `out`.

    Reads nothing but the run directories; an interrupted run is reported as far as it got.

    Returns:
        What was read.

    Raises:
        UsageError: a run directory is malformed, or `out` cannot be written.
    """
    runs = read(directories)
    shown = context(runs)
    markdown = render("report.md.jinja", **shown)
    save(
        out,
        {
            "report.html": render("report.html.jinja", **shown, **script()),
            "report.md": fit(markdown, SUMMARY_BYTES, "report.html"),
            "comment.md": fit(markdown, COMMENT_BYTES, "report.html"),
            "junit.xml": junit.document(runs),
            **{
                each.drawing: render("timeline.svg.jinja", timeline=each.timeline)
                for each in shown["overlaps"]
                if each.drawing
            },
        },
    )
    return runs


def write_comment(markdown: Path, out: Path) -> None:
    """Write of a report in Markdown as much as a comment on a pull request takes, as comment.md into the folder `out`.

    Raises:
        UsageError: it cannot be read, or `out` cannot be written.
    """
    try:
        text = markdown.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {markdown}: {error}") from error
    save(out, {"comment.md": fit(text, COMMENT_BYTES, markdown.name)})
