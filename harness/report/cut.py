"""Markdown of a size that GitHub takes: the most important is kept, and what is left out is named."""

import re
from collections.abc import Iterator

from harness.report.text import shortened

COMMENT_BYTES = 65_536  # GitHub counts characters, of which there are never more
SUMMARY_BYTES = 1024 * 1024  # of all that one step writes

_FOR_THE_LAST_WORD = 1_500
_MOST_NAMED = 8
_FENCE = re.compile("(`{3,})[^`\n]*$")
_FIRST = "## Unexpected"


def fit(text: str, most: int, whole: str) -> str:
    """Markdown cut to `most` bytes of UTF-8, with a last sentence that says what was left out.

    What comes first is kept first, section by section (`##`). Unexpected findings are left out only where nothing else
    is left; of any other section that does not fit, there is as much as half of the room that is left, so that the
    next one shows something, too. Cuts are between lines: tables, fenced blocks and `<details>` stay well formed.

    Args:
        whole: where all of it is: the name of a file.
    """
    if _size(text) <= most:
        return text
    sections = list(_sections(text))
    room = most - _FOR_THE_LAST_WORD
    kept, left_out = [], []
    for place, section in enumerate(sections):
        if _size("".join(sections[place:])) <= room:
            kept += sections[place:]
            break
        all_of_it = place == 0 or section.startswith(_FIRST)
        part, lines = _cut(section, room if all_of_it else room // 2)
        kept.append(part)
        room -= _size(part)
        if lines:
            left_out.append(f"{lines} of {len(_lines(section))} lines of “{_title(section)}”")
    named = "; ".join(left_out[:_MOST_NAMED])
    further = f"; and of {len(left_out) - _MOST_NAMED} more sections" if len(left_out) > _MOST_NAMED else ""
    return (
        f"{''.join(kept).rstrip()}\n\n**Left out here, for want of room:** {named}{further}. All of it is in {whole}.\n"
    )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _title(section: str) -> str:
    return shortened(section.partition("\n")[0].lstrip("# "), 80)


def _sections(text: str) -> Iterator[str]:
    """What comes before the first heading of the second level, then what is below each."""
    lines: list[str] = []
    for line, fence in _with_fences(text):
        if line.startswith("## ") and not fence:
            yield "".join(lines)
            lines = []
        lines.append(line)
    yield "".join(lines)


def _with_fences(text: str) -> Iterator[tuple[str, str]]:
    """Every line, and the fence of the block that is still open after it; empty outside of one."""
    fence = ""
    for line in _lines(text):
        opens = _FENCE.match(line)
        if fence:
            fence = "" if line.rstrip() == fence else fence
        elif opens:
            fence = opens[1]
        yield line, fence


def _lines(text: str) -> list[str]:
    """With their ends; what else Unicode calls the end of a line is none in Markdown."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _cut(section: str, most: int) -> tuple[str, int]:
    """As many of its lines as fit, and how many do not; none if not even its heading and one line do."""
    if _size(section) <= most:
        return section, 0
    best, size, opened, closing = 0, 0, 0, ""
    lines = _lines(section)
    for number, (line, fence) in enumerate(_with_fences(section), 1):
        opened += line.startswith("<details>") - line.startswith("</details>")
        size += _size(line)
        end = "\n</details>\n" * opened
        if size + _size(end) > most:
            break
        following = lines[number] if number < len(lines) else ""
        if not fence and not following.startswith("| ---") and not following.startswith("|---"):
            best, closing = number, end
    return ("".join(lines[:best]) + closing, len(lines) - best) if best > 1 else ("", len(lines))
