"""Histories made by hand: their operations, and what checkers find in them."""

import json
from collections.abc import Sequence

import numpy as np

from harness.checkers import judge
from harness.checkers.case import Case
from harness.findings import Finding
from harness.history.encoding import encode_array

Operation = dict[str, object]


class Operations(list[Operation]):
    """The operations of a history, in order, with the means to tamper with them."""

    def add(self, f: str, type: str, value: object = None, **stamp: object) -> None:
        self.append({"f": f, "type": type, "value": value, **stamp})

    def _matches(self, operation: Operation, wanted: dict[str, object]) -> bool:
        return all(operation.get(key) == value for key, value in wanted.items())

    def without(self, **wanted: object) -> "Operations":
        kept = Operations(operation for operation in self if not self._matches(operation, wanted))
        assert len(kept) < len(self), f"nothing to leave out: {wanted}"
        return kept

    def twice(self, **wanted: object) -> "Operations":
        doubled = Operations()
        for operation in self:
            doubled += [operation] * (2 if self._matches(operation, wanted) else 1)
        assert len(doubled) > len(self), f"nothing to double: {wanted}"
        return doubled

    def with_value(self, value: object, **wanted: object) -> "Operations":
        assert any(self._matches(operation, wanted) for operation in self), f"nothing to change: {wanted}"
        return Operations({**op, "value": value} if self._matches(op, wanted) else op for op in self)

    def until(self, **wanted: object) -> "Operations":
        """All before the first that matches."""
        first = next(index for index, operation in enumerate(self) if self._matches(operation, wanted))
        return Operations(self[:first])

    def preceded_by(self, others: Sequence[Operation], **wanted: object) -> "Operations":
        """With others before the first that matches."""
        first = len(self.until(**wanted))
        return Operations([*self[:first], *others, *self[first:]])


def batch(ids: tuple[int, ...], epoch: int) -> Operation:
    outputs = np.array(ids, dtype=np.float32)[:, None] + np.float32(epoch)
    return {"ids": ids, "outputs": json.loads(encode_array(outputs))}


def own_batch(ids: tuple[int, ...], targets: Sequence[int], epoch: int) -> Operation:
    """Of data of one's own: ids are places in the pass."""
    return {**batch(ids, epoch), "targets": json.loads(encode_array(np.array(targets)))}


def ended(**different: object) -> Operation:
    usual = {
        "status": 0, "timed_out": False, "limit_s": 60.0, "where": "", "peak_rss_bytes": 1, "left_behind": 0,
        "leftovers": [],
    }  # fmt: skip
    return {**usual, **different}


def found(case: Case, checker: str, name: str) -> Finding:
    (finding,) = (each for each in judge(case) if (each.checker, each.aggregate) == (checker, name))
    return finding


def objections(case: Case) -> list[tuple[str, str, str]]:
    return [(each.checker, each.aggregate, each.verdict) for each in judge(case) if not each.as_expected]


def shown(case: Case, finding: Finding) -> list[str]:
    """What the evidence of a finding points at."""
    return [case.history.operations[line - 1].f for line in finding.evidence]


def stamps(case: Case, finding: Finding) -> list[tuple[str, int | None, int | None]]:
    """The same, with epoch and batch."""
    lines = (case.history.operations[line - 1] for line in finding.evidence)
    return [(line.f, line.epoch, line.batch) for line in lines]
