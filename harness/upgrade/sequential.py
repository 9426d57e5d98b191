"""What paired differences of two environments say, and when they have said enough. No clock, no processes.

Every scenario has a difference d = ln(candidate / baseline) from each pair of processes, and is looked at after 10, 20
and 40 pairs. A look asks three one-sided questions of each scenario: whether d > ln 1.02 (*regressed*), whether
d < −ln 1.02 (*improved*), or else whether d < ln 1.05 (*same*). The answer is yes if that limit of the interval which
inverts the exact signed-rank test lies beyond. *same* is not said before the last look of what is slower for certain,
though by less than 5 %: more pairs may call it a regression.

How often that is wrong: for each of the three questions, at least one wrong yes over all scenarios and all looks has a
probability of at most .001 + .003 + .006 = .01, however many scenarios there are, and whichever stop early. By closed
testing: of k scenarios whose answer is no, one gets a yes at a look with a probability of at most k · level / k, and
the looks add up (Bonferroni). Holm's procedure is the short cut: a scenario is asked at level / (number of scenarios −
those answered yes already). One that has stopped with another answer still counts in that number, and a scenario that
stops is asked less often, never more. The test is exact where d is symmetric about its place; where nothing differs it
is, whatever the noise and its drift, because which of a pair comes first is drawn by lot.

The level of 10 pairs is one that they can just reach, 2**−10 < .001: of several scenarios none is decided there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.bench.costs import UNSEEN
from harness.bench.statistics import Estimate, paired

LOOKS: Mapping[int, float] = {10: 0.001, 20: 0.003, 40: 0.006}
MOST_PAIRS = max(LOOKS)
MARGIN = math.log(1.02)

REGRESSED, IMPROVED, SAME, INCONCLUSIVE = "regressed", "improved", "same", "inconclusive"
QUIET, FIRED, TOO_WIDE = "quiet", "fired", "too wide"


def says(verdict: str, estimate: Estimate) -> bool:
    """Whether an interval answers yes to the question of a verdict."""
    if verdict == REGRESSED:
        return estimate.low > MARGIN
    return estimate.high < (-MARGIN if verdict == IMPROVED else UNSEEN)


@dataclass(frozen=True)
class Look:
    """What was seen of one scenario after so many pairs.

    Attributes:
        level: of each limit of the interval, after Holm: that at which it was decided, else the strictest.
    """

    pairs: int
    level: float
    estimate: Estimate
    verdict: str


@dataclass
class Series:
    """The differences of one scenario, in the order in which they came."""

    differences: list[float] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return self.looks[-1].verdict if self.looks else INCONCLUSIVE


class Decisions:
    """Of scenarios that are compared together.

    Attributes:
        arm: differences of the baseline from itself, one from each round.
    """

    def __init__(self, scenarios: Sequence[str]) -> None:
        self.series = {scenario: Series() for scenario in scenarios}
        self.arm = Series()

    @property
    def undecided(self) -> list[str]:
        return [scenario for scenario, series in self.series.items() if series.verdict == INCONCLUSIVE]

    def look(self, pairs: int) -> None:
        """Look at every undecided scenario that has so many pairs, unless the baseline differs from itself, or may do
        so by more than 5 %: then nothing is decided here."""
        level = LOOKS[pairs]
        of_arm = paired(self.arm.differences, 1 - 2 * level)
        self.arm.looks.append(Look(len(self.arm.differences), level, of_arm, arm_verdict(of_arm)))
        asked = [scenario for scenario in self.undecided if len(self.series[scenario].differences) == pairs]
        if self.arm.verdict == QUIET:
            for verdict in (REGRESSED, IMPROVED, SAME):
                self._ask(verdict, pairs, level, asked)
        for scenario in self.undecided:
            if scenario in asked:
                self._note(scenario, pairs, level / len(self.series), INCONCLUSIVE)

    def _ask(self, verdict: str, pairs: int, level: float, asked: Sequence[str]) -> None:
        """Holm's procedure, in which those answered yes before have their place."""
        while True:
            answered = sum(series.verdict == verdict for series in self.series.values())
            each = level / max(1, len(self.series) - answered)
            found = [
                scenario
                for scenario in asked
                if self.series[scenario].verdict == INCONCLUSIVE
                and self._answers(verdict, pairs, paired(self.series[scenario].differences, 1 - 2 * each))
            ]
            for scenario in found:
                self._note(scenario, pairs, each, verdict)
            if not found:
                return

    @staticmethod
    def _answers(verdict: str, pairs: int, estimate: Estimate) -> bool:
        waits = verdict == SAME and estimate.low > 0 and pairs < MOST_PAIRS
        return says(verdict, estimate) and not waits

    def _note(self, scenario: str, pairs: int, level: float, verdict: str) -> None:
        series = self.series[scenario]
        series.looks.append(Look(pairs, level, paired(series.differences, 1 - 2 * level), verdict))


def arm_verdict(estimate: Estimate) -> str:
    """Of the baseline against itself: a difference of half the margin is seen where there is none, or one of 5 % would
    be hidden. Less than that there may be: two warm parents do not lie alike in memory."""
    if estimate.low > MARGIN / 2 or estimate.high < -MARGIN / 2:
        return FIRED
    return QUIET if (estimate.high - estimate.low) / 2 <= UNSEEN else TOO_WIDE
