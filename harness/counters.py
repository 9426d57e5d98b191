"""The exact counters of a trial, from its history: integers that do not depend on the machine.

How many calls there are does depend on the minor version of Python (`harness.comparison.baseline.same_calls`).
"""

from collections import Counter

from harness.history.reader import History


def count(history: History) -> dict[str, int]:
    """Counters of one trial.

    `operations`, `batches`, `log_calls`, `logger_writes`: how many the history holds;
    `python_calls_train`, `python_calls_validation`: Python functions called by the steps of an epoch;
    `held_bytes_train`, `held_bytes_validation`: what the module held in tensors, besides parameters and
    buffers, when an epoch's batches were over;
    `collectives_in_steps`, `collectives_besides`: those that rank 0 asked for in its last epoch, in steps and besides.
    """
    kinds = Counter(operation.f for operation in history.operations if operation.type in ("ok", "info"))
    counters = {
        "operations": len(history.operations),
        "batches": kinds["batch"],
        "log_calls": kinds["log"],
        "logger_writes": kinds["logger"],
    }
    for operation in history.select("counters"):
        counters |= {f"{name}_{operation.stage}": value for name, value in operation.value.items()}
    for operation in history.of_rank(0).select("collectives"):
        counters |= {f"collectives_{where}": sum(counted.values()) for where, counted in operation.value.items()}
    return counters
