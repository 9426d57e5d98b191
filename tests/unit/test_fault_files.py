"""Schedules of faults in files: what can be read, and what is refused, with its place."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog, Unreadable
from harness.engine import plan
from harness.errors import UsageError
from harness.faults.fault import KINDS, Fault
from harness.faults.fitting import misfits
from harness.faults.library import SCHEDULES
from harness.faults.selection import EVERY_FAULT, Faults, select
from harness.faults.written_out import read, to_json
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.schemas import schema
from harness.workloads import library

DIABETES = "short/diabetes"  # three epochs of four batches
SCENARIO = Scenario(
    pattern="a/mean", variant="recommended", source="", module=object,
    workloads=("short/*", "diabetes/*", "adversarial/*"), faults=("*",),
    aggregates=(Aggregate("mean", of=mean_of_outputs, stage="train"),), framework="lightning", hooks=(),
    expects=(), needs="", predictions_from="", trainer={}, locator="pack.mean", declared_at="",
)  # fmt: skip
KERAS = replace(SCENARIO, pattern="b/keras", framework="keras")
RANKS = replace(SCENARIO, pattern="c/ranks", ranks=2, faults=("none", "strategy.*"))
CATALOG = Catalog({each.id: each for each in (SCENARIO, KERAS, RANKS)})
FAULT = {"family": "step", "kind": "exception", "stage": "train", "epoch": 1, "batch": 2}
TWO = [FAULT, {"family": "process", "kind": "stop_requested", "epoch": 0, "batch": 3}]


@pytest.fixture
def write(tmp_path: Path):
    def call(file: str = "mine.json", indent: int | None = None, **changes: Any) -> Path:
        content = {"scenario": SCENARIO.id, "workload": DIABETES, "faults": TWO} | changes
        (tmp_path / file).write_text(json.dumps(content, indent=indent))
        return tmp_path / file

    return call


def faults(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"faults": [FAULT | change for change in changes]}


def test_a_file_is_read(write):
    found = read(write(seed=7), CATALOG)
    assert (found.name, found.filter, found.seed) == ("mine", f"{SCENARIO.id}@{DIABETES}", 7)
    assert found.faults == (Fault("step", "exception", batch=2), Fault("process", "stop_requested", epoch=0, batch=3))


def test_a_schedule_reads_as_it_was_written(tmp_path):
    schedule = (Fault("loader", "length_too_long", epoch=0, parameters={"by": 3}), Fault("step", "nan_loss", batch=1))
    path = tmp_path / "again.json"
    path.write_text(json.dumps(to_json(SCENARIO.id, DIABETES, schedule, 5)))
    assert read(path, CATALOG).faults == schedule


def test_a_workload_may_be_written_out(write):
    found = read(write(workload="diabetes/train=2x8,validation=2x8", **faults({"batch": 1})), CATALOG)
    assert found.workload == "diabetes/train=2x8,validation=2x8"


SYNTAX = {
    "is cut off": ('{"scenario": "a",', r"mine\.json:1:18: not JSON: "),
    "is not JSON on its second line": ('{\n"scenario": a}', r"mine\.json:2:13: not JSON: "),
    "is empty": ("", r"mine\.json:1:1: not JSON: "),
    "says a thing twice": ('{"seed": 1, "seed": 2}', r"mine\.json: 'seed' is said twice"),
    "is nested too deeply": ("[" * 100_000, r"mine\.json: nested too deeply"),
    "is no object": ("[]", r"mine\.json:1: \$: \[\] is not of type 'object'"),
    "has a number of many digits": ("1" * 5000, r"mine\.json: "),
}


@pytest.mark.parametrize(("text", "told"), SYNTAX.values(), ids=SYNTAX)
def test_what_is_no_json_is_told_with_its_place(tmp_path, text, told):
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(UsageError, match=told):
        read(tmp_path / "mine.json", CATALOG)


def test_what_is_no_text_is_told(tmp_path):
    (tmp_path / "mine.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"mine\.json is not JSON"):
        read(tmp_path / "mine.json", CATALOG)


@pytest.mark.parametrize("name", ["there_is_none.json", "."])
def test_what_cannot_be_read_is_told(tmp_path, name):
    with pytest.raises(UsageError, match="cannot read the fault file"):
        read(tmp_path / name, CATALOG)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown scenario": ({"scenario": "a/maen/recommended"}, r"\$\.scenario: .*did you mean 'a/mean/recommended'"),
    "a glob": ({"scenario": "a/*"}, r"\$\.scenario: there is no scenario 'a/\*'"),
    "an unknown workload": ({"workload": "short/diabete"}, r"\$\.workload: .*did you mean 'short/diabetes'"),
    "a workload it does not run on": ({"workload": "digits/even"}, r"\$\.workload: a/mean/recommended runs on no "),
    "a glob over workloads": ({"workload": "short/*"}, r"\$\.workload: "),
    "a malformed workload": ({"workload": "diabetes/train="}, r"\$\.workload: malformed partition"),
    "too large a workload": ({"workload": "diabetes/train=99x99,validation=1"}, r"\$\.workload: .*asks for 9802 "),
    "a workload that is resumed": ({"workload": "adversarial/resumed"}, r"\$\.faults\[0\]: .* stopped and resumed"),
    "no faults": ({"faults": []}, r"\$\.faults: "),
    "a fault that is none": ({"faults": [1]}, r"\$\.faults\[0\]: 1 is not of type 'object'"),
    "no family": ({"faults": [{"kind": "exception"}]}, r"\$\.faults\[0\]: 'family' is a required property"),
    "an unknown member": (faults({"batsh": 1}), r"\$\.faults\[0\]\.batsh: .*did you mean 'batch'"),
    "an unknown family": (faults({"family": "stp"}), r"\$\.faults\[0\]\.family: .*did you mean 'step'"),
    "an unknown kind": (faults({"kind": "excption"}), r"\$\.faults\[0\]\.kind: .*there are exception, out_of_memory"),
    "an unknown stage": (faults({"stage": "test"}), r"\$\.faults\[0\]\.stage: 'test' is not one of"),
    "a stage it is not aimed at": (faults({"kind": "nan_loss", "stage": "validation"}), r"\$\.faults\[0\]\.stage: "),
    "an epoch there is not": (faults({}, {"epoch": 3}), r"\$\.faults\[1\]\.epoch: .* for 3 epochs"),
    "an epoch that is none": (faults({"epoch": -1}), r"\$\.faults\[0\]\.epoch: -1 is less than the minimum"),
    "an epoch in words": (faults({"epoch": "1"}), r"\$\.faults\[0\]\.epoch: '1' is not of type 'integer'"),
    "an epoch that is a fraction": (faults({"epoch": 1.0}), r"\$\.faults\[0\]\.epoch: 1\.0 is not of type 'integer'"),
    "an epoch that is a truth": (faults({"epoch": True}), r"\$\.faults\[0\]\.epoch: True is not of type 'integer'"),
    "a batch there is not": (faults({"batch": 4}), r"\$\.faults\[0\]\.batch: short/diabetes has 4 train batches"),
    "a validation batch there is not": (
        {"workload": "diabetes/train=2x8,validation=8", **faults({"stage": "validation", "batch": 1})},
        r"\$\.faults\[0\]\.batch: .* has 1 validation batches",
    ),
    "an epoch that does not validate": (
        {"workload": "diabetes/train=2x8,validation=8,validate_every=2",
         **faults({"stage": "validation", "epoch": 2, "batch": 0})},
        r"\$\.faults\[0\]\.epoch: epoch 2 of .* has no pass over validation batches",
    ),
    "a batch beyond the limit": (
        {"workload": "diabetes/train=4x8,validation=8,train_limit=2", **faults({"batch": 2})},
        r"\$\.faults\[0\]\.batch: .* has 2 train batches",
    ),
    "a batch of an epoch": (
        faults({"family": "callback", "kind": "raises_after"}), r"\$\.faults\[0\]\.batch: .* the epoch as a whole"
    ),
    "an epoch of a stage": (
        faults({"family": "loader", "kind": "length_too_long", "batch": None}), r"\$\.faults\[0\]\.epoch: .*is 0"
    ),
    "a parameter it does not take": (
        faults({"parameters": {"status": 1}}), r"\$\.faults\[0\]\.parameters\.status: .* takes no parameters"
    ),
    "a parameter of a wrong type": (
        faults({"family": "process", "kind": "sys_exit", "parameters": {"status": "1"}}),
        r"\$\.faults\[0\]\.parameters\.status: '1' is not of type 'integer'",
    ),
    "a rank there is not": (faults({"rank": 1}), r"\$\.faults\[0\]\.rank: a/mean/recommended has 1 ranks"),
    "a fault of ranks": (faults({"family": "strategy", "kind": "rank_killed"}), r"\$\.faults\[0\]\.kind: .*2 ranks"),
    "a fault of another framework": (
        {"scenario": KERAS.id, **faults({"kind": "returns_none"})}, r"\$\.faults\[0\]\.kind: .*into keras"
    ),
    "a fault twice": (faults({}, {}), r"\$\.faults\[1\]: this fault is there already, as number 0"),
    "two lengths of a loader": (
        {"faults": [{"family": "loader", "kind": f"length_too_{how}", "epoch": 0} for how in ("long", "short")]},
        r"\$\.faults\[1\]\.kind: loader\.length_too_long has the same loader say another length",
    ),
    "all batches where one ends the process": (
        faults({"family": "process", "kind": "kill", "batch": None}), r"\$\.faults\[0\]\.batch: .* at one batch"
    ),
    "a length of nothing": (
        {"faults": [{"family": "loader", "kind": "length_too_short", "epoch": 0, "parameters": {"by": 4}}]},
        r"\$\.faults\[0\]\.parameters\.by: short/diabetes has 4 train batches",
    ),
    "an end of what never ends": (
        {"faults": [{"family": "loader", "kind": "never_ends"}, {"family": "loader", "kind": "runs_dry", "batch": 1}]},
        r"\$\.faults\[1\]\.kind: a loader either never ends or runs dry",
    ),
    "a worker that is killed at once": (
        faults({"family": "loader", "kind": "worker_killed", "batch": 0}), r"\$\.faults\[0\]\.batch: .* a later one"
    ),
    "a name with a slash": ({"name": "a/b"}, r"\$\.name: 'a/b' is not fit"),
    "a name with a line end": ({"name": "a\n"}, r"\$\.name: 'a\\n' is not fit"),
    "a name that is taken": ({"name": "none"}, r"\$\.name: 'none' is the name of"),
    "a name that is a number": ({"name": 1}, r"\$\.name: 1 is not of type 'string'"),
    "a seed that is none": ({"seed": -1}, r"\$\.seed: "),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_carried_out_is_refused(write, changes, told):
    with pytest.raises(UsageError, match=rf"mine\.json:1: {told}") as refusal:
        read(write(**changes), CATALOG)
    assert "\n" not in str(refusal.value)


def test_the_line_of_what_is_refused_is_told(write):
    path = write(indent=1, **faults({}, {"epoch": 3}))
    with pytest.raises(UsageError) as refusal:
        read(path, CATALOG)
    line = int(str(refusal.value).removeprefix(f"{path}:").partition(":")[0])
    assert path.read_text().splitlines()[line - 1].strip() == '"epoch": 3,'


def test_the_name_of_a_file_must_be_fit_for_one(write):
    with pytest.raises(UsageError, match=r"\$: 'two faults' is not fit"):
        read(write("two faults.json"), CATALOG)


def test_a_scenario_that_cannot_be_imported_is_told_with_the_reason(write):
    catalog = Catalog(unreadable=[Unreadable("pack.a.mean", "No module named 'keras'")])
    with pytest.raises(UsageError, match=r"cannot be read here: No module named 'keras'"):
        read(write(), catalog)


def test_ranks_count_the_batches_that_they_get(write):
    fault = {"family": "strategy", "kind": "rank_raises", "rank": 1}
    assert read(write(scenario=RANKS.id, **faults(fault | {"batch": 1})), CATALOG).faults[0].rank == 1
    with pytest.raises(UsageError, match=r"rank 1 of short/diabetes has 2 train batches"):
        read(write(scenario=RANKS.id, **faults(fault)), CATALOG)


def test_a_file_alone_says_what_is_run(write):
    chosen = select(CATALOG, (), [str(write(seed=7))], None)
    assert chosen.seed == 7
    (asked,) = plan.asked(CATALOG, chosen.filters, chosen.faults)
    assert (asked.scenario, asked.workload, asked.fault) == (SCENARIO, DIABETES, "mine")


def test_files_are_trials_of_their_own(write):
    chosen = select(CATALOG, (), [str(write()), str(write("other.json"))], None)
    assert [each.fault for each in plan.asked(CATALOG, chosen.filters, chosen.faults)] == ["mine", "other"]


def test_a_glob_beside_a_file_is_over_the_faults_of_its_scenario(write):
    chosen = select(CATALOG, (), ["step.nan*", str(write())], None)
    assert [each.fault for each in plan.asked(CATALOG, chosen.filters, chosen.faults)] == ["step.nan_loss", "mine"]


def test_filters_may_select_the_scenario_of_a_file(write):
    chosen = select(CATALOG, ["a/*@short/*"], [str(write())], None)
    assert [each.fault for each in plan.asked(CATALOG, chosen.filters, chosen.faults)] == ["mine"]


@pytest.mark.parametrize("filter", ["b/*", "a/*@diabetes/even"])
def test_filters_that_do_not_select_the_scenario_of_a_file_are_told(write, filter):
    with pytest.raises(UsageError, match=r"\$\.scenario: .* is not among what .* selects"):
        select(CATALOG, [filter], [str(write())], None)


def test_a_seed_beside_another_is_told(write):
    with pytest.raises(UsageError, match=r"\$\.seed: the file says seed 7, and the command line 8"):
        select(CATALOG, (), [str(write(seed=7))], 8)


def test_two_files_of_other_seeds_are_told(write):
    with pytest.raises(UsageError, match="a run has one"):
        select(CATALOG, (), [str(write(seed=7)), str(write("other.json", seed=8))], None)


def test_two_files_of_one_name_are_told(write):
    with pytest.raises(UsageError, match="both called mine"):
        select(CATALOG, (), [str(write()), str(write("other.json", name="mine"))], None)


def test_a_glob_that_matches_no_fault_is_told_with_what_is_close():
    with pytest.raises(UsageError, match=r"matches 'step\.exeption' \(did you mean 'step\.exception'"):
        plan.asked(CATALOG, (), Faults(("step.exeption",)))


def test_a_glob_must_match_also_beside_others():
    with pytest.raises(UsageError, match=r"matches 'odd'"):
        plan.asked(CATALOG, (), Faults(("none", "odd")))


def test_where_nothing_is_selected_no_fault_is_missed():
    assert plan.asked(Catalog(), ()) == []


def test_a_fault_that_may_be_meant_for_what_cannot_be_imported_is_not_told():
    held_back = Catalog(CATALOG.scenarios, unreadable=[Unreadable("pack.a.mean", "No module named 'keras'")])
    assert plan.asked(held_back, (), Faults(("odd",))) == []


def test_trials_that_differ_in_the_fault_only_have_ids_of_their_own(write):
    chosen = select(CATALOG, (), ["*", str(write())], None)
    asked = plan.asked(CATALOG, chosen.filters, chosen.faults)
    assert len({(each.workload, each.fault) for each in asked}) == len(asked)


@pytest.mark.parametrize("scenario", CATALOG.scenarios.values(), ids=CATALOG.scenarios)
def test_faults_that_are_listed_can_come_about_on_a_short_workload(scenario):
    workload = library.build(DIABETES, 0)
    named = EVERY_FAULT.of(scenario, DIABETES)
    told = {name: list(misfits(schedule, scenario, workload)) for name, schedule in named.items()}
    assert {name: why for name, why in told.items() if why} == {}


def test_every_kind_of_fault_is_listed():
    assert {(each.family, each.kind) for schedule in SCHEDULES.values() for each in schedule} == set(KINDS)


def test_the_schema_knows_every_parameter():
    parameters = schema("fault_schedule")["properties"]["faults"]["items"]["properties"]["parameters"]["properties"]
    assert set(parameters) == {name for rules in KINDS.values() for name in rules.parameters}
