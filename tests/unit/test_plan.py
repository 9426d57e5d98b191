"""Plans: which trials a request amounts to, and what is said of those that cannot run."""

import sys
from dataclasses import replace

import pytest

from harness.catalog import Catalog, Unreadable
from harness.engine.plan import make, resolve_device, workloads_of
from harness.environment import Environment
from harness.errors import ScenarioError, UsageError
from harness.oracle.quantities import mean_of_outputs
from harness.scenario import Aggregate, Scenario
from harness.workloads.library import NAMES

DIGITS = [name for name in NAMES if name.startswith("digits/")]


def environment(cuda: int = 0, unavailable: str = "") -> Environment:
    return Environment(
        {
            "python": "3.11.7",
            "packages": {"pytorch-lightning": "2.6.6"},
            "unavailable": unavailable,
            "cuda": {
                "available": bool(cuda),
                "reason": "" if cuda else "torch finds no CUDA device",
                "device": "",
                "count": cuda,
            },
        }
    )


def scenario(pattern: str, **different) -> Scenario:
    usual = Scenario(
        pattern=pattern, variant="recommended", source="", module=object, workloads=("digits/*",),
        aggregates=(Aggregate("mean", of=mean_of_outputs, stage="train"),), framework="lightning", hooks=(),
        expects=(), needs="", predictions_from="", trainer={}, locator=f"pack.{pattern}", declared_at="",
    )  # fmt: skip
    return replace(usual, **different)


def catalog(*scenarios: Scenario, unreadable=()) -> Catalog:
    return Catalog({each.id: each for each in scenarios}, unreadable=list(unreadable))


def planned(catalog: Catalog, *filters: str, device: str = "cpu", seed: int = 0, **found):
    return make(catalog, filters, device, seed, {"lightning": environment(**found)})


TWO = catalog(scenario("b/mean"), scenario("a/mean"))
MISSING = Unreadable("pack.document.pattern", "No module named 'keras'")


def test_without_a_filter_every_scenario_runs_on_all_its_workloads_in_order():
    pairs = [(trial.scenario, trial.workload) for trial in planned(TWO).trials]
    assert pairs == [(id, workload) for id in ("a/mean/recommended", "b/mean/recommended") for workload in DIGITS]


def test_two_trials_that_would_write_the_same_files_are_refused():
    alike = catalog(scenario("mine/v1.2"), scenario("mine.v1/2"))
    with pytest.raises(ScenarioError, match=r"mine.v1/2/recommended on digits/even and mine/v1.2/recommended on"):
        planned(alike, "*@digits/even")


def test_a_filter_may_name_a_workload():
    (trial,) = planned(TWO, "a/*@digits/ragged").trials
    assert (trial.scenario, trial.workload) == ("a/mean/recommended", "digits/ragged")


def test_a_workload_narrows_only_the_scenarios_it_is_named_with():
    trials = planned(TWO, "a/*@*/even", "b/*").trials
    assert [trial.workload for trial in trials] == ["digits/even", *DIGITS]


def test_of_two_filters_for_a_scenario_each_adds_workloads():
    assert workloads_of(scenario("a/mean"), ["a/*@*/even", "a/*@*/ragged"]) == ["digits/even", "digits/ragged"]


def test_a_workload_that_a_scenario_does_not_declare_is_not_run():
    with pytest.raises(UsageError, match=r"no workload matches a/\*@diabetes/even; the workloads are: digits/even, "):
        planned(TWO, "a/*@diabetes/even")


def test_a_partition_may_be_written_out():
    (trial,) = planned(TWO, "a/*@digits/train=3+1,validation=2~7").trials
    assert trial.workload == "digits/train=3+1,validation=2~7"


def test_a_partition_that_is_written_out_twice_is_run_once():
    assert len(planned(TWO, *["a/*@digits/train=3,validation=2"] * 2).trials) == 1


def test_a_partition_of_a_data_set_that_a_scenario_does_not_take_is_not_run():
    with pytest.raises(UsageError, match=r"no workload matches a/\*@diabetes/train=3,validation=2"):
        planned(TWO, "a/*@diabetes/train=3,validation=2")


def test_a_malformed_partition_is_told():
    with pytest.raises(UsageError, match=r"malformed partition 'train=3'"):
        planned(TWO, "a/*@digits/train=3")


def test_every_filter_must_find_a_workload_also_beside_others():
    with pytest.raises(UsageError, match=r"no workload matches b/\*@digits/odd"):
        planned(TWO, "a/*", "b/*@digits/odd")


def test_a_scenario_without_any_workload_is_told():
    lost = catalog(scenario("a/mean", workloads=("numbers/*",)))
    with pytest.raises(
        ScenarioError, match=r"a/mean/recommended runs on no workload: numbers/\*; the workloads are: digits/even, "
    ):
        planned(lost)


def test_a_trial_carries_what_its_process_needs():
    trial = planned(TWO, "a/*@digits/even", seed=7).trials[0]
    assert (trial.locator, trial.framework, trial.device, trial.seed) == ("pack.a/mean", "lightning", "cpu", 7)


def test_every_trial_has_an_id_of_its_own():
    trials = planned(TWO).trials
    assert len({trial.id for trial in trials}) == len(trials)


@pytest.mark.parametrize(
    ("asked", "cuda", "placed"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_auto_takes_the_gpu_where_there_is_one(asked, cuda, placed):
    assert resolve_device(asked, environment(cuda)) == placed


@pytest.mark.parametrize(
    ("catalog", "options", "reason"),
    [
        (TWO, {"device": "cuda"}, "no CUDA device: torch finds no CUDA device"),
        (TWO, {"unavailable": "ImportError: x"}, "lightning cannot be imported: ImportError: x"),
        (
            catalog(scenario("a/old", needs="pytorch_lightning<2.0")),
            {},
            "needs pytorch_lightning<2.0, and 2.6.6 is installed",
        ),
    ],
)
def test_what_cannot_run_here_is_listed_with_its_reason(catalog, options, reason):
    plan = planned(catalog, **options)
    assert plan.trials == ()
    assert {missing.reason for missing in plan.unavailable} == {reason}


def test_a_scenario_that_cannot_run_does_not_keep_another_from_it():
    mixed = catalog(scenario("a/old", needs="pytorch_lightning<2.0"), scenario("a/new"))
    plan = planned(mixed, "*@digits/even")
    assert [trial.scenario for trial in plan.trials] == ["a/new/recommended"]
    assert [missing.scenario for missing in plan.unavailable] == ["a/old/recommended"]


@pytest.mark.parametrize("filters", [(), ("document/*",), ("document/pattern/control",)])
def test_an_unreadable_file_that_may_be_meant_is_unavailable(filters):
    (missing,) = planned(catalog(unreadable=[MISSING]), *filters).unavailable
    assert (missing.scenario, missing.reason) == ("document/pattern/*", "No module named 'keras'")


def test_an_unreadable_file_that_is_not_meant_is_not_told():
    plan = planned(catalog(scenario("a/mean"), unreadable=[MISSING]), "a/*")
    assert plan.unavailable == ()


def test_an_unreadable_file_given_by_its_path_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    (tmp_path / "mine.py").write_text("import keras")
    (missing,) = planned(Catalog(), str(tmp_path / "mine.py")).unavailable
    assert "keras" in missing.reason


def test_several_ranks_do_not_run_in_a_loop_of_ones_own():
    several = catalog(scenario("a/mean", framework="torch", ranks=2))
    plan = make(several, (), "cpu", 0, {"torch": environment()})
    assert not plan.trials
    assert {item.reason for item in plan.unavailable} == {"several ranks run in Lightning and Keras only, so far"}


@pytest.mark.parametrize(
    ("gpus", "reasons"),
    [(2, set()), (1, {"needs 2 GPUs; torch sees 1"}), (0, {"no CUDA device: torch finds no CUDA device"})],
)
def test_each_rank_on_gpus_takes_one(gpus, reasons):
    plan = planned(catalog(scenario("a/mean", ranks=2)), "a/*@digits/even", device="cuda", cuda=gpus)
    assert {item.reason for item in plan.unavailable} == reasons
    assert [trial.ranks for trial in plan.trials] == ([] if reasons else [2])
    assert {item.ranks for item in plan.unavailable} == ({2} if reasons else set())


@pytest.mark.parametrize(
    ("framework", "workload", "told"),
    [
        ("keras", "adversarial/two_validations", "schedule"),
        ("keras", "adversarial/two_loaders", "loaders"),
        ("keras", "adversarial/nested", "structure"),
        ("keras", "adversarial/float16", "precision"),
        ("torch", "digits/train=8,validation=4,accumulate=2", "schedule"),
    ],
)
def test_what_an_adapter_would_not_heed_is_unavailable(framework, workload, told):
    asked = catalog(scenario("a/mean", framework=framework, workloads=["*"]))
    plan = make(asked, (f"a/mean/*@{workload}",), "cpu", 0, {framework: environment()})
    assert not plan.trials
    assert {item.reason for item in plan.unavailable} == {f"{framework} trials do not heed its {told}, so far"}


def test_a_schedule_of_other_epochs_is_heeded_by_all():
    asked = catalog(scenario("a/mean", framework="torch", workloads=["digits/*"]))
    plan = make(asked, ("a/mean/*@digits/train=8,validation=4,epochs=2",), "cpu", 0, {"torch": environment()})
    assert len(plan.trials) == 1


class TestTrainingsThatAreToBeTheSame:
    FIRST = scenario("z/first")
    TWIN = scenario("a/twin", same_as=FIRST.id)

    def ids(self, plan) -> list[str]:
        return [f"{trial.scenario}@{trial.workload}" for trial in plan.trials]

    def test_what_others_are_compared_with_comes_first_whoever_asked_for_it(self):
        both = catalog(self.TWIN, self.FIRST)
        of_workload = ["z/first/recommended@digits/even", "a/twin/recommended@digits/even"]
        assert self.ids(planned(both, "a/*@digits/even")) == of_workload
        assert self.ids(planned(both, "*@digits/even")) == of_workload

    def test_it_is_left_out_where_nothing_is_compared_with_it(self):
        others = catalog(self.TWIN, self.FIRST, scenario("a/mean"))
        assert self.ids(planned(others, "a/mean/*@digits/even")) == ["a/mean/recommended@digits/even"]

    def test_it_is_run_once_on_each_workload(self):
        others = catalog(self.TWIN, scenario("b/twin", same_as=self.FIRST.id), self.FIRST)
        assert self.ids(planned(others, "?/twin/*")).count("z/first/recommended@digits/even") == 1
        assert len(planned(others).trials) == 3 * len(DIGITS)

    def test_it_must_be_known(self):
        with pytest.raises(ScenarioError, match="same_as names z/first/recommended, and there is no such scenario"):
            planned(catalog(self.TWIN))

    def test_it_may_be_in_a_file_that_cannot_be_read(self):
        assert len(planned(catalog(self.TWIN, unreadable=[MISSING]), "a/*@digits/even").trials) == 1

    def test_it_must_run_on_the_same_workloads(self):
        elsewhere = catalog(self.TWIN, replace(self.FIRST, workloads=("digits/ragged",)))
        with pytest.raises(ScenarioError, match="which does not run on digits/even"):
            planned(elsewhere)


def test_what_needs_more_gpus_than_there_are_is_unavailable_and_says_so():
    (missing,) = planned(catalog(scenario("a/mean", gpus=2)), "a/*@digits/even", device="auto").unavailable
    assert missing.reason == "needs 2 GPUs; torch sees none"


def test_a_script_is_not_resumed():
    scripted = scenario("a/mean", fit=print, workloads=("adversarial/resumed",))
    (missing,) = planned(catalog(scripted)).unavailable
    assert missing.reason == "a script of its own is not resumed"


def test_a_trial_has_the_limit_of_its_scenario():
    (trial,) = planned(catalog(scenario("a/mean", limit_s=2.0)), "a/*@digits/even").trials
    assert trial.limit_s == 2.0
