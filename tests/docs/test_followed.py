"""Pages are followed to the letter, in an empty folder: files are saved, changes made, commands run."""

import os
import subprocess
import sys

import pytest
from markdown_pages import ROOT, blocks, commands


class Reader:
    """Does what pages say, one after the other, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.output = ""  # of the last block of commands
        self.ran = 0
        self.names = {}  # of a notebook

    def follow(self, page):
        for block in blocks(ROOT / "docs" / page):
            if block.file:
                (self.folder / block.file).write_text(block.text, encoding="utf-8")
            elif block.language in ("sh", "diff", "text", "python"):
                getattr(self, block.language)(block)

    def sh(self, block):
        stated = [command for command in commands(block) if command.exits_with is not None]
        ran = [self.run(command) for command in stated]
        self.output = "\n".join(ran)

    def run(self, command):
        ran = subprocess.run(
            [sys.executable, "-m", "harness", *command.arguments],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        self.ran += 1
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

    def python(self, block):
        exec(compile(block.text, f"line {block.line}", "exec"), self.names)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Reader(tmp_path)


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(reader):
    reader.follow("tutorial.md")
    assert reader.ran == 5
    assert "f1" not in reader.output


@pytest.mark.slow
def test_the_pages_on_metrics_and_faults_do_what_they_say(reader):
    reader.follow("how_to/own_metric.md")
    reader.follow("how_to/own_fault.md")
    assert reader.ran == 2
