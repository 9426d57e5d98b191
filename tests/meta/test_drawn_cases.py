"""A bug that only some partitions show is found by drawing them, shrunk, told as a command, and kept."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from changes import Change
from drawn import FEW, holds, partitions
from hypothesis import Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase
from laboratory import Laboratory
from planted_bugs import LOGGED_FIGURES, unweighted_mean

from harness.run_directory import RunDirectory

BUG = Change(unweighted_mean, LOGGED_FIGURES)
SCENARIO, _, _ = BUG.on.partition("@")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Search:
    """For a partition that shows the bug."""

    laboratory: Laboratory
    database: ExampleDatabase

    def failure(self, **different) -> str:
        @settings(FEW, **{"max_examples": 50, "database": self.database, "derandomize": False, **different})
        @given(partition=partitions)
        def exact(partition):
            holds(self.laboratory, f"{SCENARIO}@digits/{partition}", prelude=BUG.prelude)

        with pytest.raises(AssertionError) as failed:
            exact()
        return str(failed.value)


@pytest.fixture(scope="module")
def search(laboratory, tmp_path_factory):
    return Search(laboratory, DirectoryBasedExampleDatabase(tmp_path_factory.mktemp("examples")))


@pytest.fixture(scope="module")
def failure(search):
    return search.failure()


def test_it_is_found_and_shrunk_to_two_batches_of_unequal_size(failure):
    assert re.search(r"@digits/train=1,validation=(1\+2|2\+1)'|@digits/train=(1\+2|2\+1),validation=1'", failure)


def test_it_is_told_with_its_finding(failure):
    assert "aggregate" in failure
    assert "wrong: equals neither the truth nor what the pattern's arithmetic gives" in failure


def test_it_is_kept_and_tried_first_the_next_time(search, failure):
    assert search.failure(phases=[Phase.reuse]) == failure


@pytest.mark.skipif("CI" in os.environ, reason="Hypothesis keeps no examples in CI")
def test_the_settings_of_the_properties_keep_examples():
    assert FEW.database is not None


def test_the_command_that_is_told_finds_the_same_with_the_bug_installed(failure, tmp_path):
    """The bug is in that environment's Lightning, by way of a file that Python imports when it starts."""
    (tmp_path / "sitecustomize.py").write_text(f"import planted_bugs\n\nplanted_bugs.{BUG.name}()\n")
    replay = shlex.split(failure.partition("replay: ")[2])
    assert replay[0] == "epoch-harness"
    path = os.pathsep.join([str(tmp_path), str(ROOT / "tests" / "meta"), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-m", "harness", *replay[1:], "--out", tmp_path / "run"],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found = {
        f"{each.checker} {each.aggregate}: {each.verdict}: {each.message}"
        for each in RunDirectory.open(tmp_path / "run").read_findings()
        if not each.as_expected
    }
    assert found == set(failure.partition("\nreplay: ")[0].splitlines())
