"""Where a report tells of something: the same place whenever it is made of the same runs."""

import hashlib


def of_trial(run: int, trial: str) -> str:
    """Of a trial of the run with this number, counted from 1."""
    return f"t{run}-{_digest(trial)}"


def of_finding(run: int, trial: str, checker: str, aggregate: str) -> str:
    return f"f{run}-{_digest(trial, checker, aggregate)}"


def _digest(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode(errors="backslashreplace")).hexdigest()[:10]
