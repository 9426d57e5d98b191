"""Candidates for an upgrade: what a release of Lightning could bring, and the class that each must get.

Most are changes that trials are tried with already (`tests/meta`); those that cost something are in `planted/costly`.
`planted.interpreter` makes an interpreter of each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import costly
import harmless_changes
import planted_bugs
import planted_bugs_faults
from calibration import LOGGED
from changes import Change
from interpreter import planted_interpreter

BREAKS, NUMBER, ORDER, SLOWER, WARNS = "breaks", "changes a number", "changes order", "slower", "warns"
COST = f"{LOGGED}@digits/even"


@dataclass(frozen=True)
class Candidate:
    """An interpreter whose Lightning is changed.

    Attributes:
        source: makes the change, and may hold `{turns}`: of an empty loop, which take one percent of a step of `COST`.
        on: `scenario@workload`, or `scenario@workload#fault`, on which it shows, or must not.
        effect: the gravest class that it must get; None for one that nothing may object to.
        needs: where the place that is changed exists.
    """

    name: str
    source: str
    on: str
    effect: str | None
    needs: str = ""

    def interpreter(self, folder: Path, python: str, turns: int = 0) -> Path:
        """Write it into a folder that is made there.

        Args:
            turns: as `calibration.turns_of` one percent.
        """
        return planted_interpreter(folder / self.name, self.source.format(turns=turns), python)


def known(effect: str | None, *changes: Change) -> list[Candidate]:
    return [Candidate(each.name, _call(each.make), each.on, effect, each.needs) for each in changes]


def costing(effect: str | None, *functions: Callable[[], None]) -> list[Candidate]:
    return [Candidate(each.__name__, _call(each), COST, effect) for each in functions]


def busy(percent: int) -> Candidate:
    return Candidate(f"busy_{percent}_percent", f"import costly; costly.busy({percent} * {{turns}})", COST, SLOWER)


def _call(function: Callable[[], None]) -> str:
    module = Path(function.__code__.co_filename).stem
    return f"import {module}; {module}.{function.__name__}()"


def named(changes: list[Change], *names: str) -> list[Change]:
    found = {change.name: change for change in changes}
    return [found[name] for name in names]


CANDIDATES = [
    *known(
        NUMBER,
        *named(
            planted_bugs.PLANTS,
            "unweighted_mean",
            "weights_kept_from_the_epoch_before",
            "sum_in_place_of_mean",
            "metric_not_reset",
            "figures_of_the_epoch_before",
            "lower_precision_in_validation",
            "one_sample_not_counted",
        ),
    ),
    *known(
        BREAKS,
        *named(
            planted_bugs.PLANTS,
            "never_reported",
            "training_hook_never_called",
            "removed_hook_raises_something_else",
            "validation_hook_called_twice",
            "callbacks_called_twice",
            "last_training_batch_dropped",  # a step runs less often
        ),
        *named(
            planted_bugs_faults.PLANTS,
            "exception_in_a_step_swallowed",
            "exception_of_a_callback_swallowed",
            "interrupt_ignored",
            "epoch_ends_before_validation",  # and a figure is read before it is there
        ),
    ),
    *known(ORDER, *named(planted_bugs_faults.PLANTS, "callbacks_in_reverse")),
    *known(WARNS, *named(harmless_changes.HARMLESS, "new_warning")),
    busy(5),
    busy(10),
    *costing(
        SLOWER,
        costly.extra_host_sync,
        costly.outputs_kept_in_an_epoch,
        costly.outputs_kept_for_good,
        costly.an_operation_more,
        costly.calls_more,
    ),
    *known(
        None,
        *named(
            harmless_changes.HARMLESS,
            "private_attribute_of_results_renamed",
            "private_counter_renamed",
            "private_function_with_another_argument",
        ),
    ),
    *costing(
        None,
        costly.slower_import,
        costly.private_call_more,
        costly.private_helper_renamed,
        costly.attribute_added,
        costly.docstring_changed,
        costly.told_differently,
    ),
]
