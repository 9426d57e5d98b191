"""Every command in the documentation is one that there is."""

import re

import click
import pytest
from markdown_pages import PAGES, ROOT, blocks, commands

from harness.cli import cli

COMMANDS = [
    pytest.param(command.arguments, id=f"{page.relative_to(ROOT)}:{block.line}: {' '.join(command.arguments)}")
    for page in PAGES
    for block in blocks(page)
    for command in commands(block)
]
NAMED = re.compile(rf"\bepoch-harness (?:{'|'.join(cli.commands)})\b")


def parse(arguments):
    """Raises click.UsageError: there is no such command or option, or it does not take what it is given."""
    with click.Context(cli, info_name="epoch-harness") as group:
        name, command, rest = cli.resolve_command(group, list(arguments))
        command.make_context(name, rest, parent=group)


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_parses(arguments):
    parse(arguments)


@pytest.mark.parametrize(
    "arguments", [["runn"], ["run", "--no-such-option"], ["run", "--jobs", "none"], ["upgrade", "1.9"]]
)
def test_what_is_no_command_does_not_parse(arguments):
    with pytest.raises(click.UsageError):
        parse(arguments)


def test_the_readme_and_the_tutorial_have_commands():
    assert {"README.md", "docs/tutorial.md"} <= {parameter.id.split(":")[0] for parameter in COMMANDS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_of_a_block_is_missed(page):
    for block in blocks(page):
        lines = [line for line in block.text.splitlines() if NAMED.search(line)]
        assert len(commands(block)) == len(lines), lines
