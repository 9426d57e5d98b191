"""Figures and foreign text as the reports show them."""

import math
import re

from harness.findings import Finding

# What XML 1.0 cannot hold, in any form; it is of no use in HTML and Markdown either.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# GitHub makes links of these, and tells whoever is named.
_REFERENCE = re.compile(r"(?<![0-9A-Za-z])@(?=[0-9A-Za-z])|#(?=[0-9])")
_MOST_CHARACTERS = 1_000
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~&$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


def printable(text: str) -> str:
    """Control characters, lone surrogates and noncharacters written out, as in ``\\x00``."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def cut(text: str, most: int) -> str:
    """At most so many characters, and how many more there were."""
    return text if len(text) <= most else f"{text[:most]}… and {len(text) - most:,} more characters"


def figure(value: float | None) -> str:
    """Six significant digits; a dash for none."""
    return "–" if value is None else "NaN" if math.isnan(value) else f"{value:.6g}"


def relative_bias(observed: float | None, truth: float | None) -> float | None:
    """Observed minus truth over the truth's size; None unless both are finite and the truth is not zero."""
    if observed is None or not truth or not math.isfinite(observed) or not math.isfinite(truth):
        return None
    return (observed - truth) / abs(truth)


def bias(finding: Finding) -> str:
    """In percent of the truth, or absolute where that cannot be said."""
    relative = relative_bias(finding.observed, finding.truth)
    if relative is not None:
        return percent(relative)
    return "–" if finding.bias is None else _signed(finding.bias)


def percent(share: float) -> str:
    return f"{_signed(100 * share)} %"


def _signed(value: float) -> str:
    shown = "NaN" if math.isnan(value) else f"{value:+.3g}"
    return shown.replace("-", "−", 1) if shown.startswith("-") else shown


def shortened(text: str, most: int = _MOST_CHARACTERS) -> str:
    """On one line, and cut to `most` characters, with how many more there are."""
    return cut(" ".join(text.split()), most)


def markdown(text: str) -> str:
    """Fit for one line of Markdown, inside a table or not; it mentions nobody, and is cut where it is very long."""
    escaped = _MARKDOWN.sub(lambda found: "\\" + found[0], shortened(text))
    return _REFERENCE.sub(lambda found: f"{found[0]}\N{ZERO WIDTH SPACE}", escaped)


def markdown_code(text: str) -> str:
    """As a code span, which keeps underscores as they are; fit for a table, and cut where it is very long."""
    shown = shortened(text).replace("|", "\\|")
    fence = _fence(shown, 1)
    return f"{fence} {shown} {fence}" if "`" in shown or not shown else f"{fence}{shown}{fence}"


def markdown_block(text: str) -> str:
    """As a fenced block, its lines kept."""
    fence = _fence(text, 3)
    return f"{fence}text\n{text}\n{fence}"


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
