"""A fit beside which something goes wrong, held to what is promised."""

from typing import Any

from mishaps import Mishap
from observing import Observed, Observer
from verdicts import judge

ALWAYS = 99


def tried(observer: Observer, *mishaps: Mishap, unlogged: frozenset[int] = frozenset(), **fit: Any) -> Observed:
    """What was seen of it. Nothing is wrong, but that epochs of which the logger would not hear have not been told."""
    seen = observer.observe("ours", mishaps=mishaps, **fit)
    found = judge(seen, observer.reference(mishaps=mishaps, **fit))
    found.wrong -= unlogged
    assert not found, f"{found}; {seen.raised}"
    return seen


def statuses(seen: Observed) -> list[str]:
    return [outcome["status"] for outcome in seen.one("outcomes")]


def reasons(seen: Observed) -> dict[int, str]:
    """Of the epochs that are not `ok`."""
    return {each["epoch"]: each["reason"] for each in seen.one("outcomes") if each["status"] != "ok"}


def died(seen: Observed) -> list[str]:
    return [how for _, how, _ in seen.one("deaths")]
