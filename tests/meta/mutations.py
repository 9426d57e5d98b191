"""Mistakes in the harness itself, of which the unit tests must notice every one: see `test_the_harness_itself.py`."""

import functools
import inspect
import math
import operator
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import FunctionType

from harness import claims, findings
from harness.checkers import CHECKERS, aggregates, cells, faults, histories, place, processes, reference, reports
from harness.faults.fault import KINDS
from harness.history.reader import History
from harness.oracle import across, lightning_loop, loops, measured, predictions, quantities
from harness.oracle.keras_loop import KerasLoop
from harness.oracle.lightning_loop import LightningLoop, Rules
from harness.oracle.measured import Measured
from harness.oracle.quantities import Quantity
from harness.scenario import Condition
from harness.workloads.schedule import Schedule

Function = Callable[..., typing.Any]
Change = Callable[[Function], Function]  # a function to one that has a mistake


# Of what gives a figure: quantities and predictions alike.


def off_by_a_little(figure):
    return _changed(figure, lambda right: Measured(right.value * (1 + 1e-4) + 1e-4, right.bound))


def no_bound(figure):
    return _changed(figure, lambda right: Measured(right.value, 0.0))


def bound_of_one_hundredth(figure):
    return _changed(figure, lambda right: Measured(right.value, 0.01 * max(1.0, abs(right.value))))


def _changed(figure, change):
    def mistaken(*arguments):
        right = figure(*arguments)
        return right and change(right)

    return mistaken


# Of quantities.


def last_sample_left_out(figure):
    def mistaken(outputs, targets, u):
        kept = max(len(outputs) - 1, 1)
        return figure(outputs[:kept], targets[:kept], u)

    return mistaken


# Of predictions.


def last_batch_left_out(figure):
    return lambda quantity, epochs: figure(quantity, [*epochs[:-1], epochs[-1][:-1] or epochs[-1]])


def first_batch_left_out(figure):
    return lambda quantity, epochs: figure(quantity, [*epochs[:-1], epochs[-1][1:] or epochs[-1]])


def first_epoch_for_the_last(figure):
    return lambda quantity, epochs: figure(quantity, epochs[:1])


def earlier_epochs_counted(figure):
    return lambda quantity, epochs: figure(quantity, [[batch for batches in epochs for batch in batches]])


def earlier_epochs_left_out(figure):
    return lambda quantity, epochs: figure(quantity, epochs[-1:])


def every_batch_alike(figure):
    return predictions.mean_of_batch_means


def by_batch_size(figure):
    return predictions.weighted_by_batch_size


def the_truth(figure):
    return predictions.over_the_epoch


def no_number(figure):
    return lambda *_: Measured(math.nan, 0.0)


def nothing(figure):
    return lambda *_: None


def a_number_for_nothing(figure):
    return lambda *arguments: figure(*arguments) or Measured(math.nan, 0.0)


def count_rounded_up(figure):
    def mistaken(quantity, epochs):
        right = predictions.weighted_by_batch_size(quantity, epochs)
        ranks = len({batch.rank for batch in epochs[-1]})
        samples = sum(len(batch.ids) for batch in epochs[-1])
        return Measured(right.value * samples / (ranks * math.ceil(samples / ranks)), right.bound)

    return mistaken


def one_rank_more(count):
    return lambda batches: count(batches) + 1


def ranks_without_batches_left_out(count):
    return lambda batches: len({batch.rank for batch in batches}) or 1


def window_of_19(figure):
    return lambda quantity, epochs: figure(quantity, [[batch for batches in epochs for batch in batches][-19:]])


def weight_of_nan_kept(figure):
    def mistaken(quantity, epochs):
        right = figure(quantity, epochs)
        if not epochs[-1]:
            return right
        kept = [batch for batch in epochs[-1] if not math.isnan(quantity(batch.outputs, batch.targets, 0.0).value)]
        share = sum(len(batch.ids) for batch in kept) / sum(len(batch.ids) for batch in epochs[-1])
        return Measured(right.value * share, right.bound)

    return mistaken


# Of what makes a prediction.


def making(change):
    """The mistake is in the prediction that is made."""

    def mistaken(make):
        return lambda *arguments: change(make(*arguments))

    mistaken.__name__ = change.__name__
    return mistaken


def one_batch_more(make):
    return lambda n, *more: make(n + 1, *more)


def alpha_for_the_new(make):
    return lambda n, alpha: make(n, 1 - alpha)


def never_smoothed(make):
    return lambda n, _: predictions.every_n_batches(n)


def windows_alike(make):
    """Their means are not weighted by a batch size."""

    def mistaken(n, *more):
        def predict(quantity, epochs):
            one_sample_each = [[replace(batch, ids=batch.ids[:1]) for batch in batches] for batches in epochs]
            return make(n, *more)(quantity, one_sample_each)

        return predict

    return mistaken


def nothing_forgotten(make):
    return lambda prediction: prediction


def the_new_part_forgotten(make):
    def mistaken(prediction):
        return lambda quantity, epochs: prediction(quantity, [[batch for batch in epochs[-1] if batch.fit == 0]])

    return mistaken


# Of what becomes of figures across ranks.


def each_sample_as_often_as_given(figure):
    return predictions.over_the_epoch


def without_ranks(make):
    """What the arithmetic gives on the batches of all."""
    return lambda *arguments: arguments[-1] if callable(arguments[-1]) else arguments[0]


def always_by_mean(make):
    return lambda prediction, *_: make(prediction, "mean")


def undefined_of_nothing(make):
    """Where a replica has no samples, its mean is that of no samples."""

    def mistaken(prediction):
        return lambda quantity, epochs: make(lambda _, given: prediction(quantity, given))(quantity, epochs)

    return mistaken


def other_rank(make):
    """Batches of rank 0 are taken for those of rank 1."""

    def mistaken(prediction):
        def predict(quantity, epochs):
            swapped = [[replace(batch, rank=1 - batch.rank) for batch in batches] for batches in epochs]
            return make(prediction)(quantity, swapped)

        return predict

    return mistaken


# Of checkers.


def finds_nothing(check):
    return lambda _: []


def finds_all_as_expected(check):
    return lambda case: [
        replace(finding, verdict=finding.expected_verdict, as_expected=True) for finding in check(case)
    ]


def never_satisfied(check):
    return lambda case: [replace(finding, as_expected=False) for finding in check(case)]


def shows_no_evidence(check):
    return lambda case: [replace(finding, evidence=()) for finding in check(case)]


def says_nothing(check):
    return lambda case: [replace(finding, message="") for finding in check(case)]


def blind_to_the_first_epoch(check):
    return _blind_to(lambda operation: operation.epoch == 0, check)


def blind_to_the_last_epoch(check):
    return _blind_to(lambda operation: operation.epoch == 2, check)


def blind_to_validation(check):
    return _blind_to(lambda operation: operation.stage == "validation", check)


def _blind_to(hidden, check):
    def mistaken(case):
        seen = [operation for operation in case.history.operations if not hidden(operation)]
        return check(replace(case, history=History(seen)))

    return mistaken


def takes_every_pass_for_the_first(check):
    class OneTurn:
        def of(self, operation, stage, epoch):
            return epoch, 0

    def mistaken(case):
        seen = replace(case)
        vars(seen)["turns"] = OneTurn()  # where the cached property of a frozen case is kept
        return check(seen)

    return mistaken


def expects_the_same_of_every_version(check):
    class AnyVersion:
        def meets(self, needs):
            return True

    return lambda case: check(replace(case, environment=AnyVersion()))


def overlooks_what_a_trainer_is_asked_for(check):
    return lambda case: check(replace(case, scenario=replace(case.scenario, trainer={})))


def takes_all_for_dealt(check):
    return lambda case: check(replace(case, workload=replace(case.workload, sharing="dealt")))


def takes_all_for_one_rank(check):
    return lambda case: check(replace(case, trial=replace(case.trial, ranks=1)))


def takes_every_batch_for_a_step(check):
    return lambda case: check(replace(case, workload=replace(case.workload, schedule=Schedule())))


def expects_whatever_is_found(check):
    swap(aggregates._expected, lambda _: lambda verdict, *_: verdict)
    return check


def expects_the_truth_where_a_figure_is_none(check):
    def mistaken(expected):
        def expects(verdict, truth, prediction):
            nan = prediction and math.isnan(truth.value + prediction.value)
            return "exact" if nan else expected(verdict, truth, prediction)

        return expects

    swap(aggregates._expected, mistaken)
    return check


def leaves_out_what_was_not_seen(check):
    swap(aggregates._rows, lambda _: lambda step: len(step.value["ids"]))
    swap(
        aggregates._batches,
        lambda right: lambda case, of, steps: right(case, of, [s for s in steps if s.value["outputs"]]),
    )
    return check


def takes_the_last_of_several_results(check):
    swap(aggregates._differing_runs, lambda _: lambda *_: 0)
    return check


def excuses_nothing(check):
    return lambda case: check(replace(case, scenario=replace(case.scenario, expects=())))


def takes_a_wrong_figure_for_a_known_bias(check):
    def mistaken(compare):
        def compared(*arguments):
            verdict, message = compare(*arguments)
            return "biased" if verdict == "wrong" else verdict, message

        return compared

    swap(aggregates._compare, mistaken)
    return check


def lets_the_mildest_epoch_stand_for_all(check):
    swap(findings.gravest, lambda _: lambda verdicts: min(verdicts, key=findings.GRAVITY.index))
    return check


def names_nothing_undeclared(check):
    swap(reports.undeclared, lambda _: lambda *_: "")
    return check


def stands_at_the_beginning(check):
    swap(place.before, lambda before: lambda history, _: before(history, 0))
    return check


def expects_another_version(check):
    class Oldest:
        def meets(self, needs):
            return needs == ""

    return lambda case: check(replace(case, environment=Oldest()))


def takes_nothing_for_stale(check):
    swap(cells._stale, lambda _: lambda *_: ([], []))
    return check


def takes_an_epoch_whose_loader_ran_dry_for_complete(check):
    return lambda case: check(replace(case, workload=replace(case.workload, train=case.workload.train[:1])))


def excuses_every_epoch(check):
    swap(aggregates._is_aimed_at, lambda _: lambda *_: True)
    return check


def takes_every_epoch_for_one_without_a_fault(check):
    swap(aggregates._is_aimed_at, lambda _: lambda *_: False)
    return check


def takes_nothing_for_due(check):
    swap(aggregates._ended, lambda _: lambda *_: set())
    return check


def takes_every_process_for_one_that_died(check):
    swap(processes.ended, lambda _: lambda *_: False)
    return check


def takes_every_process_for_one_that_ended(check):
    swap(processes.ended, lambda _: lambda *_: True)
    return check


def takes_every_fault_for_none(check):
    return lambda case: check(replace(case, trial=replace(case.trial, faults=())))


def takes_running_statistics_for_weights(check):
    return _changing(check, "weights", lambda value: {"crc32": hash(tuple(value.values()))})


def looks_at_parameters_alone(check):
    return _changing(check, "weights", lambda value: {"crc32": value["crc32"]})


def looks_at_no_step(check):
    return _changing(check, "logger", lambda value: {**value, "step": None})


def looks_at_three_digits(check):
    def rounded(value):
        return {**value, "metrics": {name: float(f"{figure:.3g}") for name, figure in value["metrics"].items()}}

    return _changing(check, "logger", rounded)


def _changing(check, f, change):
    """What is told is another, in a trial and in the one that it is to be the same as."""

    def changed(case):
        seen = [replace(each, value=change(each.value)) if each.f == f else each for each in case.history.operations]
        return replace(case, history=History(seen), reference=case.reference and changed(case.reference))

    return lambda case: check(changed(case))


def takes_other_weights_for_the_same(check):
    swap(reference.same_weights, lambda _: lambda *_: True)
    return check


def takes_whatever_is_compared_with_for_complete(check):
    swap(reference.unusable, lambda _: lambda _: "")
    return check


def takes_every_truth_for_another(check):
    swap(aggregates.truths, lambda _: lambda *_: {})
    return check


# Of the model of a loop.


def the_contrary_holds(meets):
    return not meets


def does_nothing(method):
    return lambda *_: None


def gives_none(method):
    return lambda *_: 0


def in_reverse(method):
    return lambda *arguments: reversed(list(method(*arguments)))


def leaves_out_the_last(method):
    return lambda *arguments: list(method(*arguments))[:-1]


def does_as_others_do(name):
    def what_a_loop_does_if_nobody_says_otherwise(method):
        return vars(loops.Loop)[name]

    return what_a_loop_does_if_nobody_says_otherwise


def takes_without_end(method):
    return lambda *_: math.inf


def raises(method):
    def mistaken(*_):
        raise loops.Cut(loops.HANGS)

    return mistaken


def always(method):
    return lambda *_: True


def never(method):
    return lambda *_: False


def tells_nobody(end):
    def mistaken(self, exceptions):
        raise loops.Cut(loops.Ending("raises", exceptions))

    return mistaken


def raises_anything(end):
    return lambda self, _: end(self, ("Exception",))


def goes_unnoticed(is_of_the_kind):
    return not is_of_the_kind


# Of conditions of claims.


def asks_for_every_fault(gather):
    return lambda condition, *more: gather(replace(condition, fault="*"), *more)


def asks_for_no_fault(gather):
    return lambda condition, *more: gather(replace(condition, fault="none"), *more)


def always_met(gather):
    return _met(gather, lambda met: [(*where, True) for *where, _ in met])


def never_met(gather):
    return _met(gather, lambda met: [(*where, False) for *where, _ in met])


def the_contrary(gather):
    return _met(gather, lambda met: [(*where, not is_met) for *where, is_met in met])


def only_the_first(gather):
    return _met(gather, lambda met: met[:1])


def nothing_bears_on_it(gather):
    return _met(gather, lambda _: [])


def _met(gather, change):
    def mistaken(*arguments):
        evidence = gather(*arguments)
        return replace(evidence, met=change(evidence.met))

    return mistaken


# Of the arithmetic of errors.


def doubled(function):
    return lambda *arguments: _times(function(*arguments), 2)


def halved(function):
    return lambda *arguments: _times(function(*arguments), 0.5)


def _times(right, factor):
    return Measured(right.value, right.bound * factor) if isinstance(right, Measured) else right * factor


def plainly_added_up(function):
    return lambda terms: functools.reduce(operator.add, terms, 0.0)


@dataclass(frozen=True)
class Part:
    """A part of the harness.

    Attributes:
        names: of what a mistake can be made in; each must have mistakes.
        plant: makes a mistake in what has the name, in this process.
        tests: beginnings of the ids of unit tests that ought to notice.
    """

    names: set[str]
    plant: Callable[[str, Change], None]
    tests: tuple[str, ...]
    mistakes: dict[str, tuple[Change, ...]]


def swap(function, change):
    """Whoever imported the function calls the mistaken one from now on: its code is what is replaced.

    Once in a module and process, where the mistaken one is a global.
    """
    right = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)

    def instead(*arguments):
        return mistaken_function(*arguments)  # noqa: F821  # a global of the function's module

    function.__globals__["mistaken_function"] = change(right)
    function.__code__ = instead.__code__


def functions(module):
    """Those that are its own and public."""
    return {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def in_quantity(name, change):
    quantity = getattr(quantities, name)
    object.__setattr__(quantity, "measure", change(quantity.measure))  # it is frozen, and known everywhere


def in_checker(name, change):
    CHECKERS[name] = change(CHECKERS[name])


def in_rule(name, change):
    def mistaken(rules):
        def made(meets):
            right = rules(meets)
            return replace(right, **{name: change(getattr(right, name))})

        return made

    swap(lightning_loop.rules, mistaken)


def in_loop(loop):
    return lambda name, change: setattr(loop, name, change(vars(loop)[name]))


def in_kind_of(loop):
    """The model does not see some of its faults."""
    init = loop.__init__

    def plant(name, change):
        def mistaken(self, plan, *more):
            seen = tuple(fault for fault in plan.faults if change(fault.name == name))
            init(self, replace(plan, faults=seen), *more)

        loop.__init__ = mistaken

    return plant


def methods(loop):
    """Its own, and those that it has in place of those of `Loop`."""
    return {name for name, value in vars(loop).items() if inspect.isfunction(value)} - {"__init__"}


def kinds_of(framework):
    return [".".join(kind) for kind, rules in KINDS.items() if framework in rules.frameworks]


def in_condition(name, change):
    def only_of_its_kind(gather):
        mistaken = change(gather)
        return lambda condition, *more: (mistaken if type(condition).__name__ == name else gather)(condition, *more)

    swap(claims._gather, only_of_its_kind)


OF_FIGURES = (off_by_a_little, no_bound, bound_of_one_hundredth)
OF_QUANTITIES = (*OF_FIGURES, last_sample_left_out)
OF_ONE_EPOCH = (*OF_FIGURES, last_batch_left_out, first_epoch_for_the_last, earlier_epochs_counted)
OF_ALL_EPOCHS = (*OF_FIGURES, last_batch_left_out, earlier_epochs_left_out)
OF_MADE = tuple(making(change) for change in OF_FIGURES)
OF_CHECKERS = (finds_nothing, finds_all_as_expected, never_satisfied, shows_no_evidence, says_nothing)
OF_PASSES = (*OF_CHECKERS, blind_to_the_first_epoch, blind_to_the_last_epoch)
OF_CONDITIONS = (always_met, never_met, the_contrary, only_the_first, nothing_bears_on_it)
PARTS = {
    "quantities": Part(
        names={name for name, value in vars(quantities).items() if isinstance(value, Quantity)},
        plant=in_quantity,
        tests=("tests/unit/test_oracle.py::TestValues", "tests/unit/test_oracle.py::TestTheBound"),
        mistakes={
            "cross_entropy": OF_QUANTITIES,
            "accuracy": OF_QUANTITIES,
            "class_distance": OF_QUANTITIES,
            "f1_macro": OF_QUANTITIES,
            "auroc_macro": OF_QUANTITIES,
            "mean_squared_error": OF_QUANTITIES,
            "root_mean_squared_error": OF_QUANTITIES,
            "mean_of_outputs": OF_QUANTITIES,
            "std_of_outputs": OF_QUANTITIES,
        },
    ),
    "predictions": Part(
        names=functions(predictions),
        plant=lambda name, change: swap(getattr(predictions, name), change),
        tests=("tests/unit/test_oracle.py::TestPredictions", "tests/unit/test_across.py"),
        mistakes={
            "ranks_of": (one_rank_more, ranks_without_batches_left_out),
            "over_the_epoch": (*OF_ONE_EPOCH, every_batch_alike),
            "mean_of_batch_means": (*OF_ONE_EPOCH, by_batch_size),
            "weighted_by_batch_size": (*OF_ONE_EPOCH, every_batch_alike),
            "weighted_on_rank_zero": (*OF_ONE_EPOCH, by_batch_size),
            "weighted_with_truncated_count": (*OF_ONE_EPOCH, by_batch_size, count_rounded_up),
            "weighted_without_nan": (*OF_ONE_EPOCH, by_batch_size, weight_of_nan_kept),
            "sum_of_batch_values": (*OF_FIGURES, last_batch_left_out, by_batch_size),
            "smallest_batch_value": (*OF_FIGURES, first_batch_left_out, by_batch_size),
            "largest_batch_value": (*OF_FIGURES, last_batch_left_out, by_batch_size),
            "last_batch": (*OF_FIGURES, last_batch_left_out, first_epoch_for_the_last, the_truth),
            "never_updated": (off_by_a_little, bound_of_one_hundredth, no_number, nothing),
            "all_epochs_so_far": OF_ALL_EPOCHS,
            "mean_of_last_20_batches": (*OF_ALL_EPOCHS, window_of_19, by_batch_size),
            "every_n_batches": (
                *OF_MADE, one_batch_more, windows_alike, making(earlier_epochs_left_out),
                making(last_batch_left_out), making(earlier_epochs_counted), making(a_number_for_nothing),
            ),
            "exponential_mean": (
                *OF_MADE, one_batch_more, windows_alike, making(earlier_epochs_left_out),
                making(last_batch_left_out), making(earlier_epochs_counted), making(a_number_for_nothing),
                alpha_for_the_new, never_smoothed,
            ),
            "since_resuming": (
                *OF_MADE, nothing_forgotten, the_new_part_forgotten, making(last_batch_left_out),
            ),
        },
    ),
    "across": Part(
        names=functions(across),
        plant=lambda name, change: swap(getattr(across, name), change),
        tests=("tests/unit/test_across.py",),
        mistakes={
            "across": (without_ranks,),
            "of_rank_zero": (*OF_MADE, without_ranks, other_rank, making(first_batch_left_out)),
            "of_ranks": (*OF_MADE, without_ranks, always_by_mean, making(last_batch_left_out)),
            "share_of_a_replica": (*OF_MADE, without_ranks, undefined_of_nothing),
            "over_each_sample_once": (*OF_FIGURES, each_sample_as_often_as_given, last_batch_left_out),
        },
    ),
    "measured": Part(
        names=functions(measured),
        plant=lambda name, change: swap(getattr(measured, name), change),
        tests=("tests/unit/test_oracle.py::TestMeasured",),
        mistakes={
            "gamma": (doubled, halved),
            "accumulation": (doubled, halved),
            "underflow": (doubled, halved),
            "total": (doubled, plainly_added_up),
            "mean": (doubled, halved, off_by_a_little),
            "weighted_mean": (doubled, halved, off_by_a_little),
            "root": (doubled, halved, off_by_a_little),
        },
    ),
    "checkers": Part(
        names=set(CHECKERS),
        plant=in_checker,
        tests=("tests/unit/test_checkers", "tests/unit/test_fault_checkers.py"),
        mistakes={
            "aggregate": (
                *OF_PASSES, blind_to_validation, expects_whatever_is_found, takes_a_wrong_figure_for_a_known_bias,
                lets_the_mildest_epoch_stand_for_all, takes_every_pass_for_the_first, expects_the_same_of_every_version,
                names_nothing_undeclared, expects_the_truth_where_a_figure_is_none, leaves_out_what_was_not_seen,
                excuses_every_epoch, takes_every_epoch_for_one_without_a_fault, takes_nothing_for_due,
                takes_every_process_for_one_that_died, takes_other_weights_for_the_same,
                takes_whatever_is_compared_with_for_complete, takes_the_last_of_several_results,
            ),
            "hook": (*OF_PASSES, blind_to_validation, expects_the_same_of_every_version),
            "samples": (*OF_PASSES, blind_to_validation, takes_every_pass_for_the_first, takes_all_for_dealt),
            "ranks": (*OF_CHECKERS, takes_all_for_one_rank),
            "precision": (*OF_PASSES, blind_to_validation, overlooks_what_a_trainer_is_asked_for),
            "report_step": (*OF_PASSES, blind_to_validation, takes_every_batch_for_a_step),
            "metric_state": (*OF_PASSES, blind_to_validation, takes_every_pass_for_the_first),
            "training": (*OF_PASSES, takes_running_statistics_for_weights),
            "same_as": (
                *OF_PASSES, looks_at_no_step, looks_at_three_digits, looks_at_parameters_alone,
                takes_whatever_is_compared_with_for_complete, takes_every_truth_for_another,
            ),
            "process": (*OF_CHECKERS, stands_at_the_beginning, excuses_nothing, takes_every_fault_for_none),
            "bracket": (*OF_PASSES, takes_every_process_for_one_that_died, takes_every_process_for_one_that_ended),
            "order": (*OF_PASSES, blind_to_validation, expects_another_version),
            "epoch_end": (*OF_PASSES, blind_to_validation),
            "exception": (*OF_CHECKERS, takes_every_fault_for_none),
            "cell": (*OF_CHECKERS, takes_nothing_for_stale),
            "record": (*OF_PASSES, blind_to_validation, takes_an_epoch_whose_loader_ran_dry_for_complete),
        },
    ),
    "faults": Part(
        names={"check"},
        plant=lambda name, change: swap(getattr(faults, name), change),
        tests=("tests/unit/test_fault_checkers.py",),
        mistakes={"check": (finds_nothing, finds_all_as_expected, never_satisfied, shows_no_evidence, says_nothing)},
    ),
    "histories": Part(
        names={"check"},
        plant=lambda name, change: swap(getattr(histories, name), change),
        tests=("tests/unit/test_fault_checkers.py",),
        mistakes={"check": (finds_nothing, finds_all_as_expected, shows_no_evidence, says_nothing)},
    ),
    "rules": Part(
        names={field.name for field in fields(Rules)},
        plant=in_rule,
        tests=("tests/unit/test_loops.py",),
        mistakes={
            "monitors_last": (the_contrary_holds,),
            "leaves_when_interrupted": (the_contrary_holds,),
            "terminates": (the_contrary_holds,),
        },
    ),
    "lightning_loop": Part(
        names=methods(LightningLoop),
        plant=in_loop(LightningLoop),
        tests=("tests/unit/test_loops.py",),
        mistakes={
            "owners": (in_reverse, leaves_out_the_last),
            "epoch": (does_nothing,),
            "after_epoch": (does_nothing,),
            "ahead": (gives_none,),
            "take": (does_nothing,),
            "validate": (does_nothing,),
            "validated_batch": (always, never),
            "after_validation": (does_nothing,),
            "called": (does_nothing,),
            "effect": (does_nothing,),
            "_plans": (always, never),
            "_is_due": (always, never),
            "_end": (does_nothing, tells_nobody, raises_anything),
        },
    ),
    "keras_loop": Part(
        names=methods(KerasLoop),
        plant=in_loop(KerasLoop),
        tests=("tests/unit/test_keras_loop.py",),
        mistakes={
            "owners": (in_reverse, leaves_out_the_last),
            "epoch": (does_nothing,),
            "given": (leaves_out_the_last, does_as_others_do("given")),
            "begin": (does_as_others_do("begin"),),
            "_takes": (gives_none, takes_without_end),
            "within_step": (does_nothing,),
            "called": (does_nothing,),
            "take": (raises,),
            "effect": (does_nothing,),
        },
    ),
    **{
        f"faults_of_{framework}": Part(
            names=set(kinds_of(framework)),
            plant=in_kind_of(loop),
            tests=(tests,),
            mistakes=dict.fromkeys(kinds_of(framework), (goes_unnoticed,)),
        )
        for framework, loop, tests in (
            ("lightning", LightningLoop, "tests/unit/test_loops.py"),
            ("keras", KerasLoop, "tests/unit/test_keras_loop.py"),
        )
    },
    "claims": Part(
        names={condition.__name__ for condition in typing.get_args(Condition)},
        plant=in_condition,
        tests=("tests/unit/test_claims.py",),
        mistakes={
            "When": (*OF_CONDITIONS, asks_for_every_fault, asks_for_no_fault),
            "Fewer": OF_CONDITIONS,
            "Differ": OF_CONDITIONS,
        },
    ),
}  # fmt: skip
