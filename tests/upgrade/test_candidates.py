"""Interpreters whose Lightning is changed: what is said of them, and that the change is there."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from candidates import CANDIDATES, COST, Candidate
from interpreter import planted_interpreter
from table import Said

import harness
from harness.bench.measuring import Measurer
from harness.engine.local import LocalEngine
from harness.engine.trial import Trial
from harness.upgrade import counting

SAY = """
import json, os, sys
from harness.frameworks.lightning_package import pl
print(json.dumps([getattr(pl, "planted", None), sys.prefix, os.environ["PYTHONPATH"].split(os.pathsep)[-1]]))
"""


def test_there_are_twenty_of_different_names_and_some_of_every_class():
    assert max(Counter(each.name for each in CANDIDATES).values()) == 1
    assert len([each for each in CANDIDATES if each.effect]) >= 20
    assert Counter(each.effect for each in CANDIDATES).keys() == {
        "breaks", "changes a number", "changes order", "slower", "warns", None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "effect"),
    [
        (Said(None, "", 0, 1), None),
        (Said("changes a number", "", 1, 1), "changes a number"),
        (Said("warns", "", 0, 1), "warns"),
    ],
)
def test_the_table_takes_a_candidate_for_what_was_said_of_it(said, effect):
    candidate = Candidate("planted", "", COST, effect)
    assert said.is_right_of(candidate)
    for otherwise in ({"compared": 0}, {"exit_code": 3}, {"exit_code": 1 - said.exit_code}, {"kind": "breaks"}):
        assert not replace(said, **otherwise).is_right_of(candidate)


def test_lightning_is_changed_before_anyone_uses_it(tmp_path, monkeypatch):
    root = str(Path(harness.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", root)
    source = "import planting; planting.pl.planted = 'yes'"
    python = planted_interpreter(tmp_path / "it's here", source)
    done = subprocess.run([python, "-c", SAY], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["yes", sys.prefix, root]


@pytest.fixture(scope="module")
def count(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    trial = Trial(COST.partition("@")[0], "scenarios.strategies.bare_loop", "lightning", "digits/even", "cpu", 0)

    def count(source):
        python = planted_interpreter(folder / str(len(list(folder.iterdir()))), source)
        with LocalEngine("lightning") as baseline, LocalEngine("lightning", python=str(python)) as candidate:
            measurers = {"baseline": Measurer(baseline, folder, 0), "candidate": Measurer(candidate, folder, 0)}
            return counting.compare([trial], measurers)

    return count


def test_what_costs_more_is_counted_and_what_does_not_is_not(count):
    """Several changes at once: engines take seconds to start."""
    harmless = "costly.private_call_more(); costly.docstring_changed(); costly.attribute_added()"
    planted = "costly.extra_host_sync(); costly.outputs_kept_for_good()"
    counted = count(f"import costly; {harmless}; {planted}")
    assert not counted.left_out
    assert {each.figure for each in counted.differences if each.effect != counting.NOTE} == {
        "host_syncs, median step",
        "host_syncs, common step",
        "host_syncs, epoch",
        "operations, median step",
        "operations, common step",
        "operations, epoch",
        "live_bytes, still there after the epoch",
        "live_bytes, at most, for each batch",
    }
