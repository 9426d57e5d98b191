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
STEP = re.compile(r"\s*(?:- )?run: ")  # of a workflow


@dataclass(frozen=True)
class Block:
    """A fenced block, and the file that the paragraph before it says it is (`Save this as …`), or nothing."""

    language: str
    text: str
    line: int
    file: str


@dataclass(frozen=True)
class Command:
    """A call of `epoch-harness`, and what it exits with, if the page says so."""

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
    """Those of the lines of a shell block, or of the steps of a workflow; none, if it is neither."""
    if block.language == "yaml":
        return [each for line in block.text.splitlines() if STEP.match(line) for each in _command(STEP.sub("", line))]
    return [each for line in block.text.splitlines() for each in _command(line)] if block.language == "sh" else []


def told(page: Path) -> list[Command]:
    """Those in running text. A command that is given nothing there is only named."""
    tokens = [each for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) for each in token.children or ()]
    found = [each for token in tokens if token.type == "code_inline" for each in _command(token.content)]
    return [each for each in found if len(each.arguments) > 1 or each.arguments[0].startswith("-")]


def _command(line: str) -> list[Command]:
    """One, or none."""
    if not line.startswith("epoch-harness "):
        return []
    _, *arguments = shlex.split(line, comments=True)
    own = takewhile(lambda word: word not in (">", ">>", "|"), arguments)
    stated = EXITS.search(line)
    return [Command(tuple(own), int(stated.group(1)) if stated else None)]
