"""Pages are followed to the letter, in an empty folder: files are saved, changes made, commands run."""

import os
import subprocess
import sys

import pytest
from markdown_pages import PAGES, ROOT, blocks, commands

# Those of a line go on with the files and runs of the pages before them.
FOLLOWED = (
    ("tutorial.md", "how_to/ci.md"),
    ("how_to/own_metric.md", "how_to/own_fault.md"),
)


class Reader:
    """Does what pages say, one after the other, in one folder. Commands are run whose exit code the page states."""

    def __init__(self, folder):
        self.folder = folder
        self.output = ""  # of the last block of commands

    def follow(self, page):
        for block in blocks(ROOT / "docs" / page):
            if block.file:
                (self.folder / block.file).write_text(block.text, encoding="utf-8")
            elif block.language in ("sh", "diff", "text"):
                getattr(self, block.language)(block)

    def sh(self, block):
        self.output = "".join(self.run(command) for command in commands(block) if command.exits_with is not None)

    def run(self, command):
        ran = subprocess.run(
            [sys.executable, "-m", "harness", *command.arguments],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        if "pip could not reach" in ran.stderr:
            pytest.skip(f"no environment of another version can be built here: {ran.stderr}")
        assert ran.returncode == command.exits_with, ran.stdout + ran.stderr
        return ran.stdout

    def text(self, block):
        """What the page shows of the output, between ellipses, is in it."""
        for part in block.text.split("…\n"):
            assert part in self.output

    def diff(self, block):
        lines = block.text.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")
        (changed,) = (path for path in self.folder.glob("*.py") if old in path.read_text(encoding="utf-8"))
        changed.write_text(changed.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Reader(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("pages", FOLLOWED, ids=lambda pages: pages[0])
def test_pages_do_what_they_say(pages, reader):
    for page in pages:
        reader.follow(page)


def test_every_page_that_states_an_exit_code_is_followed():
    stating = {
        str(page.relative_to(ROOT / "docs"))
        for page in PAGES
        for block in blocks(page)
        if any(command.exits_with is not None for command in commands(block))
    }
    assert stating <= {page for pages in FOLLOWED for page in pages}


@pytest.mark.parametrize(
    "untrue",
    [
        "```sh\nepoch-harness --version  # exits with 1\n```",
        "```sh\nepoch-harness --version  # exits with 0\n```\n\n```text\nno such output\n```",
    ],
    ids=["exit code", "output"],
)
def test_a_page_that_is_not_true_is_found_out(untrue, reader, tmp_path):
    (tmp_path / "page.md").write_text(untrue)
    with pytest.raises(AssertionError):
        reader.follow(tmp_path / "page.md")
