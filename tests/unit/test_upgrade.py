"""An upgrade from trials to exit code, with engines that only write histories, as a side of that version would."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from errno import ENOSPC
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from histories import Operations, ended
from seen_trials import training, write
from test_running import ENDED, ENVIRONMENT, Quiet
from test_running import SCENARIO as WITH_A_FIGURE

from harness.catalog import Catalog
from harness.comparison.accepted import Accepted
from harness.comparison.differences import BREAKS, NUMBER, WARNS, Difference
from harness.comparison.result import Comparison
from harness.comparison.runs import compare
from harness.comparison.seen import Seen
from harness.engine import local
from harness.engine.local import Job, Outcome
from harness.environment import Environment
from harness.errors import HarnessError, UsageError
from harness.faults.selection import Faults
from harness.run_directory import RunDirectory
from harness.schemas import validator
from harness.upgrade.confirming import MORE_RUNS
from harness.upgrade.environments import Provided
from harness.upgrade.upgrade import Request, _Upgrade, execute, in_turns

SCENARIO = replace(WITH_A_FIGURE, aggregates=())
Trains = Callable[[Job, int], Operations]  # a trial, and how often it was run before
TWO = ("a/*@digits/even", "a/*@digits/ragged")
COUNTS = _Upgrade._count


def as_ever(job: Job, turn: int) -> Operations:
    return training()


def without_a_hook(job: Job, turn: int) -> Operations:
    return training().without(f="on_fit_end")


@dataclass
class Engines:
    """Of one side."""

    trains: Trains
    lightning: str = "2.5.6"
    framework: str = "lightning"
    found: str = ""  # the Lightning that its processes import, if not that
    ran: Counter[str] = field(default_factory=Counter)
    retries: tuple[()] = ()
    in_a_row: int = 1

    @property
    def environments(self) -> dict[str, Environment]:
        packages = {"pytorch-lightning": self.found or self.lightning}
        return {self.framework: Environment({**ENVIRONMENT, "module": "pytorch_lightning", "packages": packages})}

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        for job in jobs:
            turn = self.ran[job.trial.workload]
            self.ran[job.trial.workload] += 1
            write(job.history, self.trains(job, turn))
            yield Outcome(trial=job.trial, seconds=0.5, **ENDED)  # type: ignore[arg-type]


Upgrade = Callable[..., Comparison]


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    """Compares a side that trains in one way with one that trains in another, in the folder `out`."""

    def call(
        baseline: Trains = as_ever, candidate: Trains = as_ever, filters: Sequence[str] = TWO,
        scenario: Any = SCENARIO, versions: tuple[str, str] = ("2.5.6", "2.6.6"), ran: list[Engines] | None = None,
        found: str = "", **request: Any,
    ) -> Comparison:  # fmt: skip
        sides = {
            python: Engines(trains, version, scenario.framework, found)
            for python, trains, version in zip(("a/python", "b/python"), (baseline, candidate), versions, strict=True)
        }

        @contextmanager
        def engines(frameworks: Any, jobs: Any, limit: Any, log: Any, python: str, packages: Any) -> Iterator[Engines]:
            yield sides[python]

        monkeypatch.setattr(local, "engines", engines)
        provided = [
            Provided(Path(python), f"pytorch-lightning {each.lightning}", False, {"pytorch-lightning": each.lightning})
            for python, each in sides.items()
        ]
        if ran is not None:
            ran += sides.values()
        catalog = Catalog({scenario.id: scenario})
        request = {"budget_s": 0.0, **request}
        told = Request(filters=tuple(filters), **request)
        return execute(catalog, told, (provided[0], provided[1]), versions, tmp_path / "out", Quiet(), lambda _: None)

    # Nothing of these can be measured.
    monkeypatch.setattr("harness.upgrade.upgrade._Upgrade._count", lambda *_: None)
    return call


def told(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(each.kind, each.observable, each.what) for each in comparison.differences]


GONE = (BREAKS, "hooks", "a callback's `on_fit_end` no longer runs")


def test_two_sides_that_do_the_same(upgrade: Upgrade, tmp_path: Path) -> None:
    ran: list[Engines] = []
    comparison = upgrade(ran=ran)
    assert (comparison.compared, comparison.exit_code, comparison.title) == (2, 0, "Nothing changed")
    assert [each.ran for each in ran] == [Counter(["digits/even", "digits/ragged"])] * 2  # none is run again
    written = json.loads((tmp_path / "out" / "upgrade.json").read_text())
    validator("comparison").validate(written)
    assert written["a"]["python"] == "a/python"


@pytest.mark.parametrize(
    ("in_a_row", "order"),
    [(1, "aAbBcCdDeE"), (2, "abABcdCDeE"), (9, "abcdeABCDE")],
)
def test_sides_take_turns(in_a_row: int, order: str) -> None:
    told: list[Any] = [*in_turns([iter("abcde"), iter("ABCDE")], in_a_row)]  # type: ignore[list-item]
    assert "".join(each for _, each in told) == order
    assert [number for number, _ in told] == [int(each.isupper()) for each in order]


def test_a_side_that_has_more_trials_goes_on_alone() -> None:
    assert [*in_turns([iter("a"), iter("ABC")], 1)] == [(0, "a"), (1, "A"), (1, "B"), (1, "C")]  # type: ignore[list-item]


def test_both_sides_are_runs_that_can_be_compared_again(upgrade: Upgrade, tmp_path: Path) -> None:
    comparison = upgrade(candidate=without_a_hook)
    again = compare(tmp_path / "out" / "baseline", tmp_path / "out" / "candidate")
    assert told(again) == told(comparison) == [GONE] * 2
    assert [RunDirectory.open(tmp_path / "out" / side).read_manifest()["arguments"]["python"] for side in
            ("baseline", "candidate")] == ["a/python", "b/python"]  # fmt: skip


def test_a_difference_is_seen_twice(upgrade: Upgrade) -> None:
    ran: list[Engines] = []
    comparison = upgrade(candidate=without_a_hook, ran=ran)
    assert (comparison.exit_code, told(comparison)) == (1, [GONE] * 2)
    assert [each.ran for each in ran] == [Counter({"digits/even": 2 + MORE_RUNS, "digits/ragged": 2})] * 2


def only(turns: Sequence[int], otherwise: Trains) -> Trains:
    """As ever but in these turns."""
    return lambda job, turn: otherwise(job, turn) if turn in turns else training()


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (as_ever, only([0], without_a_hook)),
        (only([0], without_a_hook), as_ever),
        (only([1], without_a_hook), without_a_hook),
        (as_ever, only([0, 1, 2, 3], without_a_hook)),
        (only([4], without_a_hook), without_a_hook),
    ],
    ids=["candidate once", "baseline once", "baseline too, later", "not in the last run", "baseline too, at last"],
)
def test_what_is_not_seen_twice_is_no_difference(upgrade: Upgrade, baseline: Trains, candidate: Trains) -> None:
    """Nor is it none: it may come again."""
    comparison = upgrade(baseline, candidate)
    assert comparison.differences == ()
    assert comparison.exit_code == 3
    assert "`on_fit_end`" in comparison.undecided[0].why
    assert "and not in each of two runs" in comparison.undecided[0].why


def unseeded(job: Job, turn: int) -> Operations:
    return training().with_value({"torch": f"{turn}f"}, f="generators", epoch=1)


def test_a_candidate_that_draws_otherwise_each_time_is_a_difference(upgrade: Upgrade) -> None:
    """Which the baseline does not."""
    comparison = upgrade(candidate=unseeded)
    assert {each.observable for each in comparison.differences} == {"random generators"}
    assert comparison.exit_code == 1


@pytest.mark.parametrize("candidate", [unseeded, as_ever])
def test_a_baseline_that_draws_otherwise_each_time_is_not_decided(upgrade: Upgrade, candidate: Trains) -> None:
    def other(job: Job, turn: int) -> Operations:
        return unseeded(job, turn + 5)

    comparison = upgrade(other, candidate)
    assert (comparison.differences, comparison.exit_code) == ((), 3)
    assert {each.why for each in comparison.undecided} == {"random generators differ, and not in each of two runs"}


def test_what_is_stable_is_told_beside_what_is_not(upgrade: Upgrade) -> None:
    def warned(job: Job, turn: int) -> Operations:
        warning = {"category": "UserWarning", "message": f"{turn} s", "where": "a.py"}
        return training().with_value(warning, f="warning")

    def worse(job: Job, turn: int) -> Operations:
        return warned(job, turn + 5).without(f="on_fit_end")

    assert told(upgrade(warned, worse, filters=TWO[:1])) == [GONE]


def timed(job: Job, turn: int) -> Operations:
    """Its own code tells the logger how long it took."""
    return logged(val_acc=0.5, step_time=float(next(COUNT)))


def logged(**figures: float) -> Operations:
    return training().with_value({"step": 1, "epoch": 0, "metrics": figures}, f="logger", epoch=0)


COUNT = count()


def test_a_figure_that_varies_is_told_and_decides_nothing(upgrade: Upgrade) -> None:
    comparison = upgrade(timed, timed)
    assert (comparison.differences, comparison.exit_code) == ((), 0)
    assert comparison.title == "Nothing changed but what changes from run to run"
    assert {each.why for each in comparison.unstable} == {"logger: `step_time` differs"}


@pytest.mark.parametrize(("what", "code"), [("`val_loss` moved", 0), ("`val_loss`: exact → wrong", 3)])
def test_a_figure_of_the_same_verdict_that_varies_decides_nothing_either(
    upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch, what: str, code: int
) -> None:
    def moved(a: Seen, b: Seen) -> list[Difference]:
        return [Difference(a.key, NUMBER, "figure", what, "1", "2")]

    monkeypatch.setattr("harness.comparison.runs.compare_trials", moved)
    monkeypatch.setattr("harness.upgrade.confirming.compare", lambda *_: [])
    comparison = upgrade(filters=TWO[:1])
    assert (comparison.differences, comparison.exit_code) == ((), code)


def test_beside_a_figure_that_varies_others_are_compared(upgrade: Upgrade) -> None:
    def worse(job: Job, turn: int) -> Operations:
        return logged(val_acc=0.75, step_time=float(next(COUNT)))

    assert told(upgrade(timed, worse)) == [(NUMBER, "logger", "`val_acc` differs")] * 2


def test_of_a_figure_that_varies_whether_it_is_there_does_not(upgrade: Upgrade) -> None:
    def untold(job: Job, turn: int) -> Operations:
        return logged(val_acc=0.5)

    assert (BREAKS, "logger", "`step_time` is no longer there") in told(upgrade(timed, untold))


def killed_again(trains: Trains) -> Trains:
    """From the second run on, before anything is told to the logger."""

    def killed(job: Job, turn: int) -> Operations:
        told = trains(job, turn).with_value(ended(status=-9 if turn else 0), f="exit")
        return Operations([*told.until(f="logger"), told[-1]]) if turn else told

    return killed


def lower(job: Job, turn: int) -> Operations:
    return logged(val_acc=0.25)


def half(job: Job, turn: int) -> Operations:
    return logged(val_acc=0.5)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [(half, killed_again(lower)), (killed_again(half), lower), (killed_again(half), killed_again(lower))],
    ids=["candidate", "baseline", "both"],
)
def test_what_ends_otherwise_when_it_is_run_again_hides_nothing(
    upgrade: Upgrade, baseline: Trains, candidate: Trains
) -> None:
    comparison = upgrade(baseline, candidate, filters=TWO[:1])
    assert (comparison.differences, comparison.exit_code) == ((), 3)
    assert "run once more, it ended otherwise" in {each.why for each in comparison.undecided}


def test_a_trial_that_fails_on_both_sides_is_not_compared_to_any_purpose(upgrade: Upgrade) -> None:
    """Its history has no epoch that a figure could be of."""
    comparison = upgrade(scenario=WITH_A_FIGURE)
    assert (comparison.differences, comparison.exit_code) == ((), 3)
    assert "it fails on both sides, which is not expected: no epoch was planned" in comparison.summary()


def test_a_second_run_whose_history_is_damaged_leaves_its_trial_undecided(upgrade: Upgrade) -> None:
    def damaged(job: Job, turn: int) -> Operations:
        if turn:
            job.history.write_text("no operation\n")
        return without_a_hook(job, turn)

    comparison = upgrade(candidate=damaged, filters=TWO[:1])
    assert (comparison.differences, comparison.exit_code) == ((), 3)
    assert comparison.undecided[0].why.startswith("run once more: ")


def test_of_many_trials_in_which_the_same_changed_three_are_run_again(upgrade: Upgrade) -> None:
    ran: list[Engines] = []
    comparison = upgrade(candidate=without_a_hook, filters=["a/*"], ran=ran)
    (group,) = comparison.groups
    assert len(group.differences) == comparison.compared > 3
    assert [sum(times > 1 for times in each.ran.values()) for each in ran] == [3, 3]


def test_if_one_of_them_is_not_seen_twice_all_are_run_again(upgrade: Upgrade) -> None:
    ran: list[Engines] = []
    comparison = upgrade(candidate=only([0], without_a_hook), filters=["a/*"], ran=ran)
    assert comparison.differences == ()
    assert [set(each.ran.values()) for each in ran] == [{2}, {2}]


def test_a_trial_that_the_candidate_cannot_run_is_not_decided(upgrade: Upgrade) -> None:
    needy = replace(SCENARIO, needs="pytorch-lightning<2.6")
    comparison = upgrade(scenario=needy)
    assert (comparison.compared, comparison.exit_code) == (0, 3)
    assert [each.side for each in comparison.one_sided] == ["baseline"] * 2
    assert "needs pytorch-lightning<2.6" in comparison.one_sided[0].reason


def test_a_trial_that_is_new_in_the_candidate_is_told(upgrade: Upgrade) -> None:
    comparison = upgrade(scenario=replace(SCENARIO, needs="pytorch-lightning>=2.6"))
    assert [(each.side, each.decides) for each in comparison.one_sided] == [("candidate", False)] * 2


# Whatever ends it


def status(out: Path) -> list[str]:
    return [RunDirectory.open(out / side).read_manifest()["status"] for side in ("baseline", "candidate")]


def raising_on_the_second(error: BaseException) -> Trains:
    def trains(job: Job, turn: int) -> Operations:
        if job.trial.workload != "digits/even":
            raise error
        return training()

    return trains


@pytest.mark.parametrize("sides", [(as_ever, raising_on_the_second(KeyboardInterrupt())),
                                   (raising_on_the_second(KeyboardInterrupt()), as_ever)])  # fmt: skip
def test_an_interrupt_leaves_what_was_compared(upgrade: Upgrade, tmp_path: Path, sides: tuple[Trains, Trains]) -> None:
    comparison = upgrade(*sides)
    assert (comparison.compared, comparison.exit_code) == (1, 3)
    assert status(tmp_path / "out") == ["interrupted"] * 2
    written = json.loads((tmp_path / "out" / "upgrade.json").read_text())
    validator("comparison").validate(written)
    assert (written["exit_code"], written["compared"]) == (3, 1)
    assert compare(tmp_path / "out" / "baseline", tmp_path / "out" / "candidate").compared == 1


def test_an_interrupt_while_trials_are_run_again_leaves_undecided_what_was_seen_once(upgrade: Upgrade) -> None:

    def trains(job: Job, turn: int) -> Operations:
        if turn:
            raise KeyboardInterrupt
        return training().without(f="on_fit_end")

    comparison = upgrade(candidate=trains)
    assert (comparison.differences, comparison.exit_code) == ((), 3)
    assert {each.why for each in comparison.undecided} == {f"{GONE[2]}, which was seen once only"}
    assert comparison.a.status == comparison.b.status == "interrupted"


@pytest.mark.parametrize(
    ("ends", "code", "tells"),
    [
        (KeyboardInterrupt(), 3, "interrupted while it was timed"),
        (HarnessError("no parent"), 0, "timing failed: no parent"),
        (OSError(ENOSPC, "no space left"), 3, "timing failed: OSError: [Errno 28] no space left"),
    ],
)
def test_what_ends_timing_leaves_what_was_compared(
    upgrade: Upgrade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: BaseException, code: int, tells: str
) -> None:
    def count(upgrading: Any, _: Any) -> None:
        upgrading.timed = [*upgrading.trials.values()]

    def time(*_: Any) -> None:
        raise ends

    monkeypatch.setattr("harness.upgrade.upgrade._Upgrade._count", count)
    monkeypatch.setattr("harness.upgrade.upgrade.Measuring.time", time)
    comparison = upgrade(budget_s=1.0)
    assert (comparison.compared, comparison.exit_code) == (2, code)
    assert tells in comparison.summary()
    assert status(tmp_path / "out") == ["complete"] * 2


@pytest.mark.parametrize(
    ("scenario", "candidate", "why"),
    [
        (SCENARIO, as_ever, "an epoch of training on digits, and none of these scenarios aggregates over one"),
        (WITH_A_FIGURE, without_a_hook, "of the scenarios that can be, none gives the same figures on both sides"),
    ],
)
def test_why_nothing_is_measured_is_told(
    upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch, scenario: Any, candidate: Trains, why: str
) -> None:
    monkeypatch.setattr("harness.upgrade.upgrade._Upgrade._count", COUNTS)
    (note,) = (note for note in upgrade(candidate=candidate, scenario=scenario).notes if "measured" in note)
    assert why in note


@pytest.mark.parametrize("framework", ["lightning", "torch"])
def test_sides_whose_trials_would_run_something_else_are_refused(upgrade: Upgrade, framework: str) -> None:
    with pytest.raises(UsageError, match=r"trials would run pytorch-lightning 2\.0\.9"):
        upgrade(scenario=replace(SCENARIO, framework=framework), found="2.0.9")


def test_a_side_whose_engine_fails_leaves_failed_runs(upgrade: Upgrade, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no engine"):
        upgrade(candidate=raising_on_the_second(HarnessError("no engine")))
    assert status(tmp_path / "out") == ["failed"] * 2
    assert not (tmp_path / "out" / "upgrade.json").exists()


def test_a_disk_that_is_full_is_told_and_what_was_written_is_kept(upgrade: Upgrade, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        upgrade(candidate=raising_on_the_second(OSError(28, "No space left")))
    assert status(tmp_path / "out") == ["failed"] * 2
    assert len(RunDirectory.open(tmp_path / "out" / "baseline").read_findings()) > 0


def test_a_damaged_history_is_not_decided_and_the_others_go_on(upgrade: Upgrade) -> None:
    def damaged(job: Job, turn: int) -> Operations:
        if job.trial.workload == "digits/even":
            job.history.write_text("no operation\n")
        return without_a_hook(job, turn)

    comparison = upgrade(candidate=damaged)
    assert told(comparison) == [GONE]
    (undecided,) = comparison.undecided
    assert "line 1" in undecided.why


@pytest.mark.parametrize("filter", ["a/*@iris/even", "b/*", "absent.py"])
def test_what_cannot_be_carried_out_makes_no_directory(upgrade: Upgrade, tmp_path: Path, filter: str) -> None:
    with pytest.raises(UsageError):
        upgrade(filters=[filter])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_bad_usage(upgrade: Upgrade, tmp_path: Path) -> None:
    (tmp_path / "out" / "candidate").mkdir(parents=True)
    (tmp_path / "out" / "candidate" / "file").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        upgrade()


# What was asked for


def test_accepted_differences_do_not_count(upgrade: Upgrade) -> None:
    entries = (Accepted("known", what="*on_fit_end*", candidate=">=2.6"), Accepted("of others", candidate=">=3"))
    comparison = upgrade(candidate=without_a_hook, accepted=entries)
    assert (comparison.exit_code, {each.accepted for each in comparison.differences}) == (0, {"known"})


def about(observable: str = "hooks", **more: str) -> Accepted:
    return Accepted("old", observable=observable, what="*on_train_start*", **more)


@pytest.mark.parametrize(
    ("entry", "request_"),
    [
        (about(), {"filters": ()}),
        (about(workload="digits/even"), {}),
        (about(workload="digits/even", fault="none"), {"faults": Faults(("none",))}),
    ],
)
def test_an_entry_that_nothing_matches_is_told_where_all_was_run_that_it_names(
    upgrade: Upgrade, entry: Accepted, request_: dict[str, Any]
) -> None:
    assert upgrade(accepted=(entry,), **request_).unused == (entry,)


@pytest.mark.parametrize(
    ("entry", "request_"),
    [
        (about(), {}),
        (about(workload="digits/single_batch"), {}),
        (about(), {"filters": (), "profile": "quick"}),
        (about("time"), {"filters": ()}),
        (about(), {"filters": (), "baseline": raising_on_the_second(KeyboardInterrupt())}),
    ],
    ids=["filters", "another", "quick", "not timed", "interrupted"],
)
def test_where_not_all_was_run_that_an_entry_names_it_is_not_called_unused(
    upgrade: Upgrade, entry: Accepted, request_: dict[str, Any]
) -> None:
    assert upgrade(accepted=(entry,), **request_).unused == ()


@pytest.mark.parametrize(("fail_on", "code"), [((WARNS,), 0), ((BREAKS,), 1), ((), 0), ((NUMBER, BREAKS), 1)])
def test_which_classes_count_can_be_chosen(upgrade: Upgrade, fail_on: tuple[str, ...], code: int) -> None:
    assert upgrade(candidate=without_a_hook, fail_on=fail_on).exit_code == code


def test_the_quick_profile_runs_a_pattern_on_its_smallest_workload(upgrade: Upgrade) -> None:
    ran: list[Engines] = []
    upgrade(filters=(), profile="quick", ran=ran)
    assert [len(each.ran) for each in ran] == [1, 1]


def test_deprecations_of_the_candidate_are_told_though_the_baseline_warns_too(upgrade: Upgrade) -> None:
    def warns(job: Job, turn: int) -> Operations:
        warning = {"category": "LightningDeprecationWarning", "message": "soon gone", "where": "a.py"}
        return training().with_value(warning, f="warning")

    comparison = upgrade(warns, warns)
    assert comparison.deprecations == ("LightningDeprecationWarning: soon gone",)
    assert comparison.differences == ()
