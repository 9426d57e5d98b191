"""What was counted and timed of two environments, as it is written down (`upgrade_cost.schema.json`)."""

from typing import Any

from harness.upgrade.counting import Counted
from harness.upgrade.timing import Timing

SCHEMA_VERSION = 1


def to_json(counted: Counted | None, timing: Timing | None) -> dict[str, Any]:
    """None for what was not asked for, or not come to."""
    return {
        "schema_version": SCHEMA_VERSION,
        "counting": counted.to_json() if counted else None,
        "timing": timing.to_json() if timing else None,
    }
