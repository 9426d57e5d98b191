"""Whether what differs between two sides does so again: what two runs of one side do not agree on is no difference."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.catalog import Catalog
from harness.comparison.compare import compare
from harness.comparison.differences import WARNS, Difference, Key, grouped
from harness.comparison.result import Undecided
from harness.comparison.runs import damaged
from harness.comparison.seen import seen
from harness.comparison.training import FIGURES
from harness.engine.engines import Engine
from harness.engine.trial import Trial
from harness.run import Run
from harness.upgrade.sides import SIDES
from harness.workloads.workload import Workload

# What a user's own code may tell under a name: the other names are compared all the same.
TOLD_BY_NAME = (*FIGURES, "logger writes", "files", "warnings", "cost")
ENDINGS = ("exceptions", "process")
SEEN_AGAIN = 3  # of the trials in which the same changed, so many are run once more
# What comes in one order or another by chance may do so twice on both sides: what is to count as a regression is run so
# many times more, in one trial of those in which the same changed.
MORE_RUNS = 3


@dataclass
class Confirmed:
    """What came of it.

    Attributes:
        differences: those that are.
        undecided: those that may be one; and trials that could not be looked at again.
        unstable: what is told under a name, and changes from run to run.
    """

    differences: list[Difference] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
    unstable: list[Undecided] = field(default_factory=list)


@dataclass(frozen=True)
class Confirming:
    """Two runs that have come to their end, baseline and candidate, and the engines that can go on.

    Attributes:
        trials: those that were run on both sides.
    """

    runs: Sequence[Run]
    warm: Sequence[Engine]
    catalog: Catalog
    workloads: Mapping[str, Workload]
    trials: Mapping[Key, Trial]

    def confirm(self, found: Sequence[Difference], fail_on: Sequence[str]) -> Confirmed:
        """Run trials that differ once more on both sides.

        Of the trials in which the same changed, some are; all of them, if one of those is not confirmed.

        Args:
            fail_on: the classes of which a difference that is not confirmed leaves its trial undecided.
        """
        confirmed = Confirmed()
        groups = grouped(found)
        some = dict.fromkeys(each.key for group in groups for each in group.differences[:SEEN_AGAIN])
        shaken = self._shaken(found, list(some), confirmed)
        doubtful = [group for group in groups if any(each in shaken for each in group.differences[:SEEN_AGAIN])]
        rest = dict.fromkeys(each.key for group in doubtful for each in group.differences if each.key not in some)
        shaken += self._shaken(found, list(rest), confirmed)
        for _ in range(MORE_RUNS):
            left = grouped([each for each in found if each not in shaken and each.kind in fail_on])
            moved = self._shaken(found, list(dict.fromkeys(group.differences[0].key for group in left)), confirmed)
            alike = [each for group in left if group.differences[0] in moved for each in group.differences]
            shaken += [each for each in dict.fromkeys([*moved, *alike]) if each not in shaken]
        confirmed.differences = [each for each in found if each not in shaken]
        for each in shaken:
            if each.kind in fail_on and _decides(each):
                confirmed.undecided.append(Undecided(each.key, f"{each.what}, and not in each of two runs"))
            else:
                confirmed.unstable.append(Undecided(each.key, f"{each.observable}: {each.what}"))
        return confirmed

    def _shaken(self, found: Sequence[Difference], keys: Sequence[Key], confirmed: Confirmed) -> list[Difference]:
        """The differences in these trials that are not confirmed: a second run of the baseline differs from the first
        in the same thing, or the second runs of both sides do not.

        What the candidate alone shows otherwise each time, and never as the baseline does, is a difference.
        """
        if not keys:
            return []
        shaken: list[Difference] = []
        trials = [self.trials[key] for key in keys]
        with tempfile.TemporaryDirectory() as folder:
            again = [
                run.again(trials, self.catalog, self.workloads, warm, Path(folder, side))
                for run, warm, side in zip(self.runs, self.warm, SIDES, strict=True)
            ]
            before = self.runs[0].judged(trials)
            for key, trial, *both in zip(keys, trials, *again, strict=True):
                first, a, b = (seen(each.findings, each.history) for each in (before[trial.id], *both))
                of_this = [each for each in found if each.key == key]
                if damage := damaged(a, b):
                    confirmed.undecided.append(Undecided(key, f"run once more: {damage}"))
                    shaken += of_this
                    continue
                varies, differs = compare(first, a), compare(a, b)
                unlike = [each for each in of_this if _varies(each, varies) or not _among(differs, each)]
                new = [each for each in varies + differs if not _among(of_this, each)]
                if unlike and any(each.observable in ENDINGS and each.kind != WARNS for each in new):
                    # After another ending nothing else is compared; other words are none.
                    confirmed.undecided.append(Undecided(key, "run once more, it ended otherwise"))
                    unlike = of_this
                shaken += unlike
        return shaken


def _among(differences: Sequence[Difference], difference: Difference) -> bool:
    return any(each.subject == difference.subject for each in differences)


def _varies(difference: Difference, varies: Sequence[Difference]) -> bool:
    """Whether two runs of the same side differ in that, too. That a figure is gone, or has another verdict, does not
    vary because its value does."""
    aspects = {each.aspect for each in varies if each.subject == difference.subject}
    return difference.aspect in aspects if difference.aspect else bool(aspects)


def _decides(difference: Difference) -> bool:
    """Whether nothing is known of a trial in which that varies. A figure whose verdict is the same is told under a name
    as well: what it is over is compared by itself."""
    kept_its_verdict = difference.observable == "figure" and "→" not in difference.what
    return difference.observable not in TOLD_BY_NAME and not kept_its_verdict
