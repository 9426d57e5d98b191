"""Drawings of a report: SVG to be put into the page, in the page's own colours, with nothing to fetch."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.report.text import cut

# Matplotlib is told colours that stand for those of the page, which change between light and dark.
INK, SOFT, LINE, GOOD, BIAS, BAD = (f"#0{n}0{n}0{n}" for n in range(1, 7))
OF_THE_PAGE = {
    INK: "currentColor", SOFT: "var(--soft)", LINE: "var(--line)",
    GOOD: "var(--good)", BIAS: "var(--bias)", BAD: "var(--bad)",
}  # fmt: skip
STYLE = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9, "text.color": INK, "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": INK, "grid.color": LINE,
    "lines.solid_capstyle": "butt",
}  # fmt: skip
WIDTH, ROW, MARGIN = 10.5, 0.2, 0.75  # inches
MOST_LABEL = 70


@dataclass(frozen=True)
class Interval:
    """A ratio with its limits, None where there are too few values for one.

    Attributes:
        group: what it is compared within; in each the reference stands for what is noise.
    """

    group: str
    label: str
    value: float
    low: float | None
    high: float | None
    is_reference: bool


@dataclass(frozen=True)
class Bias:
    """How far one way is off.

    Attributes:
        shares: of the truth, signed, each with whether the documented arithmetic explains it.
        furthest: the largest of them, in words.
    """

    label: str
    shares: Sequence[tuple[float, bool]]
    furthest: str


def intervals(name: str, rows: Sequence[Interval]) -> str:
    """One line each; a band behind a group shows what its reference differs from itself.

    Args:
        name: tells what is inside this drawing from that of others in the page.
    """
    with _drawing(name, len(rows)) as (axes, written):
        place = 0
        for _, group in groupby(rows, key=lambda row: row.group):
            members = list(group)
            for row in members:
                if row.is_reference and row.low is not None and row.high is not None:
                    edges = (place - 0.5, place + len(members) - 0.5)
                    axes.fill_betweenx(edges, row.low, row.high, color=SOFT, alpha=0.25, linewidth=0, clip_on=False)
            for row in members:
                if row.low is not None and row.high is not None:
                    axes.plot((row.low, row.high), (place, place), color=INK, linewidth=1.5, clip_on=False)
                axes.plot(row.value, place, "o", color=SOFT if row.is_reference else BIAS, markersize=5, clip_on=False)
                place += 1
        axes.axvline(1, color=SOFT, linewidth=1, clip_on=False)
        axes.set_yticks(range(len(rows)), [_label(f"{row.group}: {row.label}") for row in rows])
        axes.set_xlabel("seconds of a step over those of the bare loop; grey: the bare loop against itself")
    return written.getvalue()


def biases(name: str, rows: Sequence[Bias]) -> str:
    """One line each, a mark for each workload and figure."""
    with _drawing(name, len(rows)) as (axes, written):
        for place, row in enumerate(rows):
            for explained, marker, color in ((True, "o", BIAS), (False, "X", BAD)):
                found = [100 * share for share, known in row.shares if known is explained]
                axes.plot(found, [place] * len(found), marker, color=color, alpha=0.75, markersize=5, clip_on=False)
            axes.annotate(
                _label(row.furthest), (1, place), xycoords=("axes fraction", "data"), xytext=(8, 0),
                textcoords="offset points", va="center", color=SOFT, fontsize=8, annotation_clip=False,
            )  # fmt: skip
        axes.axvline(0, color=SOFT, linewidth=1, clip_on=False)
        axes.set_xscale("symlog", linthresh=0.1)
        axes.xaxis.set_major_formatter(lambda percent, _: f"{percent:+g}" if percent else "0")
        axes.set_yticks(range(len(rows)), [_label(row.label) for row in rows])
        axes.set_xlabel("reported minus true, in percent of the true (linear within ±0.1); ● biased, ✖ wrong")
    return written.getvalue()


@contextmanager
def _drawing(name: str, rows: int) -> Iterator[tuple[Any, io.StringIO]]:
    # Takes half a second, and only a report that has something to draw needs it.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = io.StringIO()
    with rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names in scripts that its font lacks; the page's font has them
        figure = Figure(figsize=(WIDTH, ROW * rows + MARGIN))
        axes = figure.subplots()
        axes.grid(axis="x", linewidth=0.5, clip_on=False)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        yield axes, written
        axes.set_ylim(rows - 0.5, -0.5)
        figure.savefig(file := io.StringIO(), format="svg", transparent=True, bbox_inches="tight")
    written.write(_for_the_page(file.getvalue(), name))


def _for_the_page(svg: str, name: str) -> str:
    """Without what a page has no use for; ids and colours made the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"(?s)<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg)
    svg = re.sub(r'(?<= )id="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"font-family: [^;\"]*; ", "", svg)
    for told, shown in OF_THE_PAGE.items():
        svg = svg.replace(told, shown)
    return svg.replace("<svg ", '<svg class="plot" aria-hidden="true" ', 1)


def _label(text: str) -> str:
    return cut(text, MOST_LABEL)
