"""Which ways of aggregating metrics over an epoch give the true number? Run them, and judge them.

The names below are what a scenario file needs; they import nothing but the standard library and NumPy.
"""

from harness.oracle import predictions, quantities
from harness.scenario import Aggregate, Claim, Differ, EpochHook, Expect, Fewer, Scenario, When, claim, scenario

__version__ = "0.1.0"

__all__ = [
    "Aggregate",
    "Claim",
    "Differ",
    "EpochHook",
    "Expect",
    "Fewer",
    "Scenario",
    "When",
    "__version__",
    "claim",
    "predictions",
    "quantities",
    "scenario",
]
