"""What the pages of the documentation tell their readers to do."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", *(path for path in (ROOT / "docs").rglob("*.md") if "generated" not in path.parts)],
)
FILE = re.compile(r"\b[Tt]his\s(?:as|is)\s`([\w.]+)`")
EXITS = re.compile(r"#.*\bexits with (\d)")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the file that the paragraph before it says it is (`Save this as …`), or nothing."""

    language: str
    text: str
    line: int
    file: str


@dataclass(frozen=True)
class Command:
    """A line of a shell block that calls `epoch-harness`, and what it exits with, if the page says so."""

    arguments: tuple[str, ...]
    exits_with: int | None


def blocks(page: Path) -> Iterator[Block]:
    before = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "inline":
            before = token.content
        elif token.type == "fence":
            named = FILE.search(before)
            yield Block(token.info.strip(), token.content, token.map[0] + 1, named.group(1) if named else "")
            before = ""


def commands(block: Block) -> list[Command]:
    """None, if it is no shell block."""
    found: list[Command] = []
    if block.language != "sh":
        return found
    for line in block.text.splitlines():
        program, *arguments = shlex.split(line, comments=True) or [""]
        if program == "epoch-harness":
            own = takewhile(lambda word: word not in (">", ">>", "|"), arguments)
            stated = EXITS.search(line)
            found.append(Command(tuple(own), int(stated.group(1)) if stated else None))
    return found
