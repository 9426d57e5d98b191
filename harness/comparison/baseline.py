"""A run in short, to be committed: verdicts, figures, exact counters, digests of what its histories hold; no times.

A file of JSON lines (`harness/schemas/baseline.schema.json`): first what was run where, then a line for each trial.
What is `ok` is left out of the verdicts.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema

from harness import counters
from harness.comparison import observables
from harness.comparison.differences import Key
from harness.comparison.seen import Judged, Seen
from harness.errors import UsageError
from harness.findings import EpochVerdict, Finding
from harness.history.encoding import decode_number, encode_number
from harness.history.reader import History
from harness.machine import machine
from harness.schemas import schema

SCHEMA_VERSION = 1
CALLS = "python_calls"
COUNTED = (CALLS, "held_bytes")


def same_calls(python_a: str, python_b: str) -> bool:
    """Whether two versions of Python (`3.11.7`) count calls alike.

    Each minor version compiles and calls in its own way: a comprehension is a call before 3.12, and none since.
    """
    return python_a.split(".")[:2] == python_b.split(".")[:2]


def without_calls(seen: Seen) -> Seen:
    """To be compared with what was seen in a Python that does not count calls alike."""
    return replace(seen, counters={name: count for name, count in seen.counters.items() if not name.startswith(CALLS)})


def header(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the first line, of the manifest of a run."""
    return {
        "schema_version": SCHEMA_VERSION,
        "packages": manifest["environment"]["packages"],
        "python": manifest["environment"]["python"],
        "processor": manifest["machine"].get("processor", ""),
        "seed": manifest["seed"],
        "filters": manifest["arguments"]["filters"],
    }


def line(findings: Sequence[Finding], history: History) -> dict[str, Any]:
    """Of one trial."""
    first = findings[0]
    return {
        "scenario": first.scenario,
        "workload": first.workload,
        "fault": first.fault,
        "placement": first.placement,
        "verdicts": {f"{each.checker}:{each.aggregate}": each.verdict for each in findings if each.verdict != "ok"},
        "figures": {each.aggregate: _figures(each) for each in findings if each.checker == "aggregate"},
        "digests": observables.digests(history),
        "counters": {name: count for name, count in counters.count(history).items() if name.startswith(COUNTED)},
    }


def _figures(finding: Finding) -> list[list[Any]]:
    return [
        [each.epoch, each.turn, each.verdict, encode_number(each.observed), encode_number(each.bound or 0.0)]
        for each in finding.per_epoch
        if each.observed is not None
    ]


def write(path: Path, told: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> None:
    """Raises:
    UsageError: it cannot be written.
    """
    text = "".join(json.dumps(each, separators=(",", ":"), sort_keys=True) + "\n" for each in (told, *lines))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the baseline {path}: {error.strerror}") from error


def read(path: Path) -> tuple[dict[str, Any], dict[Key, Callable[[], Seen]]]:
    """The first line of a baseline, and what was seen of each trial.

    Of a baseline that was made on another processor, figures are left out: they differ in their last bits, which add up
    over a training, and no bound is known for that.

    Raises:
        UsageError: it cannot be read, is of another schema version, or does not follow its schema.
    """
    try:
        told, *lines = [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise UsageError(f"cannot read the baseline {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not a baseline: {error}") from error
    version = told.get("schema_version") if isinstance(told, dict) else None
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{path} is a baseline of schema version {version}, and this harness reads {SCHEMA_VERSION}: make it again"
        )
    validator = jsonschema.Draft202012Validator(schema("baseline"))
    for wrong in validator.iter_errors({"header": told, "trials": lines}):
        raise UsageError(f"{path} is damaged: {wrong.json_path}: {wrong.message}")
    same = told["processor"] == machine()["processor"]
    return told, {seen.key: partial(_itself, seen) for seen in (_seen(each, figures=same) for each in lines)}


def _itself(seen: Seen) -> Seen:
    return seen


def _seen(told: Mapping[str, Any], figures: bool) -> Seen:
    of_passes = {name: dict(_passes(passes)) for name, passes in told["figures"].items()} if figures else {}
    findings = {}
    for place, verdict in told["verdicts"].items():
        checker, _, name = place.partition(":")
        findings[checker, name] = Judged(verdict, "", of_passes.get(name, {}))
    key = Key(told["scenario"], told["workload"], told["fault"], told["placement"])
    return Seen(key, findings, None, told["counters"], told["digests"])


def _passes(told: Sequence[Sequence[Any]]) -> Iterator[tuple[tuple[int, int], EpochVerdict]]:
    for epoch, turn, verdict, observed, bound in told:
        observed, bound = decode_number(observed), decode_number(bound)
        yield (epoch, turn), EpochVerdict(epoch, verdict, observed, bound=bound, turn=turn)
