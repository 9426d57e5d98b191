"""What a bench of strategies leaves, made by hand."""

from typing import Any

NOTHING = {"live_bytes": 0, "held_bytes": 0, "held_values": 0, "objects": 0}
BARE = "strategies/bare_loop/control"


def cost(scenario: str, ratio: float, low: float | None, high: float | None, **changes: Any) -> dict[str, Any]:
    counter = {"median_step": 12, "common_step": 12, "epoch": 1200}
    memory = [{"batches": 10, "peak": NOTHING, "retained": NOTHING, "peak_rss_bytes": 1}]
    pair = {"bare": [1e-4], "strategy": [ratio * 1e-4], "bare_first": True}
    return {
        "scenario": scenario,
        "framework": "lightning",
        "bare": BARE,
        "counters": dict.fromkeys(("python_calls", "operations", "host_syncs"), counter),
        "counters_over_bare": dict.fromkeys(("python_calls", "operations", "host_syncs"), counter),
        "memory": memory,
        "memory_over_bare": memory,
        "peak_growth_per_batch": {"live_bytes": 4, "held_bytes": 0, "held_values": 1, "objects": None},
        "unstable": [],
        "time": {
            "ratio": ratio, "low": low, "high": high, "extra_s_per_step": 2.5e-5, "share_of_log": None, "pairs": [pair],
        },
    } | changes  # fmt: skip


def bench(*found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "harness_version": "0.1.0",
        "status": "complete",
        "environment": "Python 3.11.7, torch 2.6.0",
        "machine": {"platform": "Linux", "processors": 2},
        "arguments": {
            "filters": [], "device": "cpu", "seed": 0, "batches": 100, "rounds": 10, "jobs": 2, "limit_s": 60.0,
        },
        "workload": {"dataset": "digits", "batch_size": 16, "batches": 100},
        "confidence": 0.99,
        "too_noisy": [],
        "costs": list(found),
        "left_out": [],
    } | changes  # fmt: skip
