"""What a user would notice of a trial, read off its history: a few sequences, each of entries that can be compared."""

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.engine.place import without_stacks
from harness.history.encoding import decode_number
from harness.history.reader import History, Operation

# Operations that are no hook of Lightning's, the scenario's or its callbacks'.
NO_HOOK = frozenset(
    (
        "trial", "plan", "batch", "log", "logger", "callback_metrics", "progress_bar", "metric_state", "weights",
        "counters", "measured", "fault", "record", "exit", "generators", "warning", "learning_rate", "loader",
        "checkpoint", "collectives",
    )
)  # fmt: skip
ENDS = "it "  # how an entry begins that says how the trial's process ended
ENDED_WELL = "it ended with status 0"
NOTHING = "none"  # in place of predictions
STEP = "step"  # what a batch is called among the hooks
IN_BITS = ("predictions", "weights")  # what they hold is made of a figure's last bits
CALLS = ("Trainer.fit", "Trainer.validate", "Trainer.test", "Trainer.predict")
# Of what a call leaves behind, that which is an observable by itself.
APART = ("callback_metrics", "logged_metrics", "progress_bar_metrics", "checkpoints", "files", "returned")

_FOLDERS = re.compile(r"(?:/[\w.+@~-]+)+/(?=[\w.+@~-])")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_FRACTION = re.compile(r"(?<![\w.])-?(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)(?![\w.])")
_PROCESS = re.compile(r"\bpid(s?\(s\)|s)? \d+(, \d+)*")


@dataclass(frozen=True)
class Entry:
    """One thing that was seen.

    Attributes:
        what: text that is the same on both sides, unless something changed.
        line: of the history.
        stamp: stage, epoch, step and batch, as they stood then; and of a hook, what it was given, if that was noted.
        numbers: by name; compared as numbers, not as text.
    """

    what: str
    line: int
    stamp: tuple[Any, ...] = ()
    numbers: tuple[tuple[str, float], ...] = ()
    rank: int = 0

    @property
    def compared(self) -> tuple[str, tuple[tuple[str, str], ...], int]:
        """What is to be the same: NaN is the same as NaN, and -0.0 as 0.0."""
        return self.what, tuple((name, repr(value + 0.0)) for name, value in self.numbers), self.rank

    @property
    def place(self) -> str:
        """In words, where it was seen."""
        if not self.stamp:
            return ""
        stage, epoch, _, batch = self.stamp[:4]
        told = [stage, None if epoch is None else f"epoch {epoch}", None if batch is None else f"batch {batch}"]
        return ", ".join(filter(None, told))


Entries = tuple[Entry, ...]


class Observed(Mapping[str, Entries]):
    """Every observable of a history, by name; those of which there is nothing are empty. Each is read off when it is
    asked for, and most never are."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._read: dict[str, Entries] = {}

    def __getitem__(self, name: str) -> Entries:
        if name not in self._read:
            self._read[name] = tuple(READERS[name](self._history))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(READERS)

    def __len__(self) -> int:
        return len(READERS)

    def of_the_same(self, other: "Observed") -> bool:
        """Whether the histories are the same, line by line, but for times and processes: then every observable is. A
        short way for what differs in nothing, as most trials do."""
        a, b = self._history.operations, other._history.operations
        return len(a) == len(b) and all(_told_of(one) == _told_of(two) for one, two in zip(a, b, strict=True))


def _told_of(operation: Operation) -> tuple[Any, ...]:
    value = operation.value
    if operation.f == "exit":
        value = {name: told for name, told in value.items() if name != "peak_rss_bytes"}
    place = (operation.stage, operation.epoch, operation.step, operation.batch)
    return operation.f, operation.type, *place, value, operation.fault, operation.rank


def digests(history: History) -> dict[str, str]:
    """A digest of each observable of which there is something, from what is the same on every machine: its numbers are
    left out. `IN_BITS` are those that differ on another processor all the same."""
    return {name: _digest(entries) for name, entries in Observed(history).items() if entries}


def _digest(entries: Entries) -> str:
    told = [[entry.what, entry.rank] for entry in entries]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def alike(a: Entries, b: Entries) -> bool:
    """Whether nothing that is compared differs."""
    return len(a) == len(b) and all(one.compared == other.compared for one, other in zip(a, b, strict=True))


def without_places(text: str) -> str:
    """A message without what differs from run to run: folders before a file's name, addresses, and processes."""
    for pattern, shown in ((_FOLDERS, "…/"), (_ADDRESS, "0x…"), (_PROCESS, "pid …")):
        text = pattern.sub(shown, text)
    return " ".join(text.split())


def _entry(operation: Operation, what: str, **numbers: Any) -> Entry:
    stamp = (operation.stage, operation.epoch, operation.step, operation.batch)
    figures = tuple((name, decode_number(value)) for name, value in numbers.items())
    return Entry(what, operation.line, stamp, figures, operation.rank)


def _hooks(history: History) -> Iterator[Entry]:
    """Every hook that was called, and every step, in order; with the batch or epoch that Keras told it besides."""
    for operation in history.operations:
        if operation.f == "batch" and operation.type == "invoke":
            yield _entry(operation, STEP)
        elif operation.f not in NO_HOOK and operation.type in ("invoke", "info"):
            owner = "" if "." in operation.f else "a callback's " if operation.type == "info" else "the module's "
            entry = _entry(operation, owner + operation.f)
            yield replace(entry, stamp=(*entry.stamp, operation.value)) if operation.value is not None else entry


def _counters(history: History) -> Iterator[Entry]:
    """What each hook and step saw of the Trainer's counters."""
    for entry in _hooks(history):
        yield replace(entry, what=f"{entry.what} {json.dumps(entry.stamp)}")


def _exceptions(history: History) -> Iterator[Entry]:
    """Which exceptions left a step, a hook, or the trial."""
    for operation in history.operations:
        if operation.type == "fail":
            told = operation.value or {}
            raised = f"{told.get('exception', 'it failed')}: {without_places(without_stacks(told.get('message', '')))}"
            yield _entry(operation, f"{operation.f} raises {raised}")


def _process(history: History) -> Iterator[Entry]:
    """How the trial's process ended, and what it left behind."""
    for operation in history.select("exit"):
        value = operation.value
        end = "it ran out of time" if value["timed_out"] else f"it ended with status {value['status']}"
        yield _entry(operation, end)
        yield _entry(operation, f"left behind: {value['left_behind']} processes, {len(value['leftovers'])} files")


def _samples(history: History) -> Iterator[Entry]:
    """Which samples each step was given; of data of one's own, whose ids are places in the pass, the targets too."""
    for operation in history.select("batch"):
        if operation.type in ("ok", "fail") and operation.value and "ids" in operation.value:
            targets = operation.value.get("targets")
            told = f", targets {_array(targets)}" if targets else ""
            yield _entry(operation, f"{operation.stage}: {json.dumps(operation.value['ids'])}{told}")


def _predictions(history: History) -> Iterator[Entry]:
    """What the model gave for them."""
    for operation in history.select("batch", "ok"):
        outputs = operation.value["outputs"]
        yield _entry(operation, _array(outputs) if outputs else NOTHING)


def _array(told: dict[str, Any]) -> str:
    return f"{told['dtype']}{told['shape']} with digest {zlib.crc32(told['base64'].encode()):08x}"


def _weights(history: History) -> Iterator[Entry]:
    for operation in history.select("weights"):
        yield _entry(operation, json.dumps(operation.value, sort_keys=True))


def _loaders(history: History) -> Iterator[Entry]:
    """How often, and for which stage, a loader was iterated over."""
    for operation in history.select("loader"):
        yield _entry(operation, f"{operation.stage}: loader {operation.value['loader']}")


def _told(name: str) -> Callable[[History], Iterator[Entry]]:
    """Operations whose value is compared as it is."""

    def read(history: History) -> Iterator[Entry]:
        for operation in history.select(name):
            yield _entry(operation, json.dumps(operation.value, sort_keys=True))

    return read


def _learning_rates(history: History) -> Iterator[Entry]:
    """Whenever one changed: what they were from then on."""
    for operation in history.select("learning_rate"):
        entry = _entry(operation, json.dumps(operation.value))
        yield replace(entry, what=f"{entry.what} from {entry.place} on")


def _figures(name: str) -> Callable[[History], Iterator[Entry]]:
    """Operations whose value is figures by their names: an entry for each of them."""

    def read(history: History) -> Iterator[Entry]:
        for operation in history.select(name):
            for key, value in sorted((operation.value or {}).items()):
                yield _figure(operation, key, value)

    return read


def _figure(operation: Operation, name: str, value: Any, place: str = "") -> Entry:
    """`place` is where it was told to be, besides where it was."""
    try:
        return _entry(operation, f"{name}{place}", **{name: value})
    except (TypeError, ValueError):  # no number: by what it is
        return _entry(operation, f"{name}{place}: {value}")


def _logger(history: History) -> Iterator[Entry]:
    """What the logger was told, figure by figure, with the step and epoch that it was told."""
    for operation in history.select("logger", "ok"):
        told = operation.value
        for name, value in sorted(told["metrics"].items()):
            yield _figure(operation, name, value, f" at step {told['step']}, epoch {told['epoch']}")


def _writes(history: History) -> Iterator[Entry]:
    """How often the logger was told something, and what together."""
    for operation in history.select("logger", "ok"):
        yield _entry(operation, ", ".join(sorted(operation.value["metrics"])))


def _logged(history: History) -> Iterator[Entry]:
    """What the module gave to `self.log`."""
    for operation in history.select("log"):
        yield _figure(operation, operation.value["name"], operation.value["value"])


def _checkpoints(history: History) -> Iterator[Entry]:
    """Which checkpoint was written when."""
    for operation in history.select("checkpoint", "invoke"):
        entry = _entry(operation, operation.value["file"])
        yield replace(entry, what=f"{entry.what} in {entry.place or 'no stage'}")


def _of_calls(key: str) -> Callable[[History], Iterator[Entry]]:
    """What a call of the Trainer left behind: names of files, or of figures."""

    def read(history: History) -> Iterator[Entry]:
        for operation in _returned(history):
            for name in operation.value.get(key, ()):
                yield _entry(operation, name)

    return read


def _returned(history: History) -> Iterator[Operation]:
    for call in CALLS:
        yield from (each for each in history.select(call, "ok") if each.value)


def _outcome(history: History) -> Iterator[Entry]:
    """What the Trainer says when a call of it has returned, and to its logger in the end."""
    for operation in _returned(history):
        for name, value in sorted(operation.value.items()):
            if name not in APART:
                yield _entry(operation, f"{name} after {operation.f}: {value}")
    for operation in history.select("Logger.finalize", "ok"):
        yield _entry(operation, f"status that the logger is told: {operation.value['status']}")


def _results(history: History) -> Iterator[Entry]:
    """What `validate`, `test` and `predict` returned, called as one would write it: `Trainer.test()[0]['loss']`."""
    for operation in _returned(history):
        if "returned" in operation.value:
            for place, value in _leaves(operation.value["returned"]):
                figure = str(place[-1]) if place else ""
                entry = _figure(operation, figure, value)
                called = f"{operation.f}()" + "".join(f"[{each!r}]" for each in place)
                yield replace(entry, what=called + entry.what.removeprefix(figure))


def _leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Whatever holds nothing else, with the keys and numbers that lead to it; an empty list or dict too."""
    if isinstance(value, (list, dict)) and value:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(each, (*place, key))
    else:
        yield place, value


def _best(history: History) -> Iterator[Entry]:
    for operation in _returned(history):
        for number, checkpoint in enumerate(operation.value.get("checkpoints", ()), 1):
            for name, value in sorted(checkpoint.items()):
                if name.endswith("score") and value is not None:
                    yield _figure(operation, f"{name} of checkpoint callback {number}", value)
                else:
                    yield _entry(operation, f"{name} of checkpoint callback {number}: {value}")


def _metrics_left(history: History) -> Iterator[Entry]:
    for operation in _returned(history):
        for name, value in sorted(operation.value.get("callback_metrics", {}).items()):
            yield _figure(operation, name, value)


def _record(history: History) -> Iterator[Entry]:
    """The lines of the file that the scenario keeps; fractions in them are numbers, all else is text."""
    for operation in history.select("record"):
        for line in operation.value["lines"]:
            text = without_places(line)
            fractions = {str(place): number for place, number in enumerate(_FRACTION.findall(text), 1)}
            yield _entry(operation, _FRACTION.sub("…", text), **fractions)


def _warnings(history: History) -> Iterator[Entry]:
    for operation in history.select("warning"):
        told = operation.value
        yield _entry(operation, f"{told['category']}: {without_places(told['message'])}")


def deprecations(history: History) -> set[str]:
    """What was warned of that a later version will take away or change."""
    told = {entry.what for entry in _warnings(history)}
    return {text for text in told if any(word in text.split(":")[0] for word in ("Deprecat", "Future"))}


READERS: dict[str, Callable[[History], Iterator[Entry]]] = {
    "exceptions": _exceptions,
    "process": _process,
    "hooks": _hooks,
    "counters": _counters,
    "samples": _samples,
    "loaders": _loaders,
    "random generators": _told("generators"),
    "learning rates": _learning_rates,
    "predictions": _predictions,
    "weights": _weights,
    "self.log": _logged,
    "logger": _logger,
    "logger writes": _writes,
    "progress bar": _figures("progress_bar"),
    "callback_metrics": _figures("callback_metrics"),
    "callback_metrics at the end": _metrics_left,
    "returned": _results,
    "logged_metrics": _of_calls("logged_metrics"),
    "progress_bar_metrics": _of_calls("progress_bar_metrics"),
    "metric objects": _told("metric_state"),
    "checkpoints": _checkpoints,
    "best checkpoint": _best,
    "files": _of_calls("files"),
    "Trainer": _outcome,
    "record": _record,
    "warnings": _warnings,
}
