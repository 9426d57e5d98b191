"""What a scenario is, and how one is declared.

A scenario file holds a plain LightningModule, Keras model or torch module with a loop of its own and, below it, one
call of :func:`scenario`. This module is imported inside every trial, so it needs nothing but the standard library.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal, get_args

from harness.errors import ScenarioError
from harness.faults.fault import NONE
from harness.oracle.predictions import Prediction, over_the_epoch
from harness.oracle.quantities import Quantity
from harness.workloads.schedule import BY_TRAINER

EpochStage = Literal["train", "validation"]
Stage = Literal["train", "validation", "test"]
Source = Literal["logger", "callback_metrics", "progress_bar"]
Across = Literal["samples", "ranks", "rank_zero"]
Script = Callable[[Any], None]  # of a `Fit` or, in Keras, a `KerasFit`: `harness.fit`

DEFAULT_FRAMEWORK = "lightning"
FRAMEWORKS = ("lightning", "keras", "torch")  # each has an adapter: `harness.engine.trial`
OWN_DATA = "own/data"  # what the workload of a scenario with data of its own is called
VARIANTS = ("as_documented", "migrated", "recommended", "control")

AGGREGATE_VERDICTS = ("exact", "biased", "wrong", "missing", "raised", "unknown")
PROPERTY_VERDICTS = ("ok", "violated", "raised", "unknown")
CELL_VERDICTS = ("fired", "silent", "stale")  # of a hook, under a fault
FINDING_VERDICTS = tuple(dict.fromkeys((*AGGREGATE_VERDICTS, *PROPERTY_VERDICTS, *CELL_VERDICTS)))
CLAIM_VERDICTS = ("holds", "holds in part", "refuted", "undecided")

# What a trial's Trainer, or Keras's `fit`, is told already, and what decides it there. Checkers rely on it.
ALREADY_DECIDED = {
    "lightning": {
        **dict.fromkeys(
            (
                "max_epochs", "max_steps", "max_time", "accumulate_grad_batches", "limit_train_batches",
                "limit_val_batches", "val_check_interval", "check_val_every_n_epoch", "overfit_batches", "fast_dev_run",
            ),
            "the workload's schedule decides that",
        ),
        **dict.fromkeys(("use_distributed_sampler", "replace_sampler_ddp"), "the workload's partition decides that"),
        "devices": "say it by ranks=",
        "accelerator": "say it by --device",
        "logger": "the harness's own logger notes what is told",
    },
    "keras": {
        **dict.fromkeys(
            ("epochs", "initial_epoch", "steps_per_epoch", "validation_steps", "validation_freq"),
            "the workload's schedule decides that",
        ),
        **dict.fromkeys(
            ("x", "y", "batch_size", "shuffle", "validation_data", "validation_split", "validation_batch_size"),
            "the workload's partition decides that",
        ),
    },
}  # fmt: skip

_VERSION = r"(?:~=|===?|!=|<=|>=|<|>)\s*v?\d[\w.*+!-]*"
_REQUIREMENT = re.compile(rf"\s*[A-Za-z][\w.-]*\s*(?:{_VERSION}(?:\s*,\s*{_VERSION})*)?\s*", re.ASCII)


@dataclass(frozen=True)
class Expect:
    """A verdict that is expected other than by default. Of several, the first that applies counts.

    Attributes:
        verdict: one of the verdicts of aggregates, properties or claims.
        aggregate: a glob over what it is expected of: the key of a figure, the name of a hook or metric.
        checker: a glob over the checkers it holds for; `process` must be named, no glob stands for it.
        workload: a glob over the workloads it holds on.
        needs: where it holds: a requirement such as ``"pytorch_lightning<2.0"``; empty for everywhere.
            ``lightning`` counts as ``pytorch_lightning``: it is the same code under another name.
        exception: for the verdict `raised`, the class name of what is raised; empty for any.
        fault: a glob over the faults it holds under.
        ranks: a glob over the numbers of ranks it holds on, such as ``"[!1]*"``.
    """

    verdict: str
    aggregate: str = "*"
    checker: str = "*"
    workload: str = "*"
    needs: str = ""
    exception: str = ""
    fault: str = "*"
    ranks: str = "*"


@dataclass(frozen=True)
class Aggregate:
    """One figure that a scenario promises once per epoch; of validation, once per pass over its batches; of a test, by
    a script that does not train, once.

    By default the verdict that is expected of it is the one its predicted value would get: `exact` where the
    documented arithmetic gives the truth, `biased` where it does not, epoch by epoch.

    Attributes:
        name: the key under which the framework reports it.
        of: what it measures, with its float64 reference (`harness.oracle.quantities`).
        predicts: what the documented arithmetic must give (`harness.oracle.predictions`).
        reported_in: where a user reads it: `logger` (what the logger is told), `callback_metrics` (as a
            callback sees it at the end of the epoch), or `progress_bar` (as shown after the last training batch, or
            when validation has ended). The latter two are Lightning's.
        from_epoch: the first epoch for which it is promised; reported before that, it is `wrong`.
        digits: how many significant digits are shown where it is read; 0 for all.
        needs: where it is promised at all, as in `Expect`.
        loader: the validation loader whose samples it is over, counted from 0; None for all of them.
        across: what `predicts` is over where several ranks share the epoch: `samples` (the batches of all ranks),
            `ranks` (each rank's batches, and then the mean of the ranks' figures), or `rank_zero` (those of rank 0,
            which reports). Truth is over the samples of all ranks, each once.
    """

    name: str
    of: Quantity
    stage: Stage
    predicts: Prediction = over_the_epoch
    reported_in: Source = "logger"
    from_epoch: int = 0
    digits: int = 0
    needs: str = ""
    loader: int | None = None
    across: Across = "samples"

    @property
    def label(self) -> str:
        """What findings call it: its name, and where it is read if that is not the logger."""
        return self.name if self.reported_in == "logger" else f"{self.name} ({self.reported_in})"


@dataclass(frozen=True)
class EpochHook:
    """A hook that a scenario relies on to run exactly once per epoch of `stage`, sanity checking aside."""

    name: str
    stage: EpochStage


@dataclass(frozen=True)
class Record:
    """A file that a scenario writes an entry of every epoch to, and that is looked at once its process is gone.

    Attributes:
        file: relative to the folder that a trial works in.
        epoch_of: the epoch, counted from 0, that a line of it is about; None if about none.
    """

    file: str
    epoch_of: Callable[[str], int | None]


@dataclass(frozen=True)
class When:
    """Selects findings by glob, and says which verdict they need for a claim to hold."""

    verdict: str
    scenario: str
    aggregate: str = "*"
    checker: str = "*"
    workload: str = "*"
    fault: str = NONE

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Globs over the scenarios that it looks at."""
        return (self.scenario,)


@dataclass(frozen=True)
class Fewer:
    """Asks that one scenario has less of an exact counter (`harness.counters`) than another, on each workload."""

    counter: str
    scenario: str
    than: str
    workload: str = "*"

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Globs over the scenarios that it looks at."""
        return (self.scenario, self.than)


@dataclass(frozen=True)
class Differ:
    """Asks that a figure of one scenario, as reported, is not to the last bit that of another, on each workload."""

    aggregate: str
    scenario: str
    than: str
    workload: str = "*"

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Globs over the scenarios that it looks at."""
        return (self.scenario, self.than)


Condition = When | Fewer | Differ


@dataclass(frozen=True)
class Claim:
    """A statement that a document makes, and what decides it: verdicts of findings, figures, or exact counters.

    It *holds* if every condition is met by all that it selects, is *refuted* if a condition is met by none of
    what it selects, and *holds in part* otherwise; where a condition selects nothing it is *undecided*.
    """

    id: str
    statement: str
    source: str
    holds_when: tuple[Condition, ...]
    expects: tuple[Expect, ...]


@dataclass(frozen=True)
class Scenario:
    """One runnable implementation of a documented pattern. Declare it with :func:`scenario`."""

    pattern: str
    variant: str
    source: str
    module: Callable[[Any], Any]
    workloads: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    framework: str
    hooks: tuple[EpochHook, ...]
    expects: tuple[Expect, ...]
    needs: str
    predictions_from: str
    trainer: Mapping[str, Any]
    locator: str
    declared_at: str
    ranks: int = 1
    faults: tuple[str, ...] = (NONE,)
    callbacks: Callable[[], Sequence[Any]] = tuple
    record: Record | None = None
    resume_from: str = ""
    refuses: Mapping[str, str] = field(default_factory=dict)
    fit: Script | None = None
    same_as: str = ""
    gpus: int = 0
    limit_s: float | None = None
    data: Callable[[], Any] | None = None
    targets: Callable[[Any], Any] | None = None

    @property
    def id(self) -> str:
        return f"{self.pattern}/{self.variant}"

    @property
    def document(self) -> str:
        return self.pattern.split("/")[0]


def second_of_pair(batch: Any) -> Any:
    """Where targets are, if a scenario does not say.

    Raises:
        TypeError: the batch is no pair.
    """
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise TypeError(
            f"a batch is no pair of inputs and targets, but a {type(batch).__name__}; say by targets= of the scenario, "
            f"a function of the batch, where its targets are"
        )
    return batch[1]


@dataclass
class Declarations:
    """What the files imported so far have declared, in order."""

    scenarios: list[Scenario] = field(default_factory=list)
    claims: list[tuple[str, Claim]] = field(default_factory=list)

    def declared_by(self, locator: str) -> tuple[list[Scenario], list[Claim]]:
        return (
            [scenario for scenario in self.scenarios if scenario.locator == locator],
            [claim for origin, claim in self.claims if origin == locator],
        )

    def forget(self, locator: str) -> None:
        """Drop what a file declared, before it is imported afresh."""
        self.scenarios = [scenario for scenario in self.scenarios if scenario.locator != locator]
        self.claims = [(origin, claim) for origin, claim in self.claims if origin != locator]


DECLARED = Declarations()


def _declaring_module() -> FrameType:
    """The frame of the module that is being imported: it may declare through a function of another module."""
    caller = frame = sys._getframe(2)
    while frame.f_code.co_name != "<module>":
        if frame.f_back is None:
            return caller
        frame = frame.f_back
    return frame


def scenario(
    *,
    pattern: str,
    variant: str,
    module: Callable[[Any], Any],
    aggregates: Sequence[Aggregate],
    source: str = "",
    workloads: Sequence[str] | str = "digits/*",
    framework: str = DEFAULT_FRAMEWORK,
    hooks: Sequence[EpochHook] = (),
    expects: Sequence[Expect] = (),
    needs: str = "",
    predictions_from: str = "",
    trainer: Mapping[str, Any] | None = None,
    ranks: int = 1,
    faults: Sequence[str] | str = NONE,
    callbacks: Callable[[], Sequence[Any]] = tuple,
    record: Record | None = None,
    resume_from: str = "",
    refuses: Mapping[str, str] | None = None,
    fit: Script | None = None,
    same_as: str = "",
    gpus: int = 0,
    limit_s: float | None = None,
    data: Callable[[], Any] | None = None,
    targets: Callable[[Any], Any] | None = None,
) -> Scenario:
    """Declare one scenario, below the module it runs.

    Args:
        pattern: `document/pattern`; together with `variant` it is the scenario's id.
        variant: `as_documented`, `migrated` (today's API, same arithmetic), `recommended` (exact wherever it
            can be) or `control` (a step left out on purpose, to show that it matters).
        module: called with the workload's `DataShape`, returns the LightningModule or compiled `keras.Model` to
            train; or, for `torch`, a module with a `fit` of its own (`harness.frameworks.torch_loop`).
        aggregates: what is promised once per epoch; at least one.
        source: the document, paper or page that describes the pattern.
        workloads: globs over workload names (`epoch-harness list` shows them).
        hooks: hooks the pattern relies on.
        expects: verdicts expected other than by default, for example `raised` from a version on.
        needs: the environment that the scenario can run in, such as ``"pytorch_lightning>=2.0"``; elsewhere
            it is listed as unavailable.
        predictions_from: dotted name of the submodule (in Keras: name of the layer) whose forward pass returns
            the per-sample predictions; empty for the module itself.
        framework: `lightning`, `keras` or `torch`.
        trainer: further arguments for the Trainer, or for Keras's `fit`.
        ranks: how many processes share an epoch, on the CPU, in the way that the workload says
            (`harness.workloads.sharing`), if `run --ranks` does not ask for others.
        faults: globs over the names of faults that it runs under (`harness.faults.library`).
        callbacks: called for every `fit`, returns the callbacks that it is given.
        record: what it writes of every epoch to a file of its own.
        resume_from: a checkpoint that it writes, relative to the folder that a trial works in; training goes on from it
            where a process that was killed is followed by another. In Keras a callback of its own does that, whose
            method `resume_from(model)` returns the epoch to go on with.
        refuses: faults that are harmless as such and that it ends `fit` for: the exception by the name of the kind, as
            in `{"step.labels_broadcast": "ValueError"}`.
        fit: a script that trains, in place of the harness's own `fit` (`harness.fit`), in one process that is not
            resumed.
        same_as: the id of another scenario, whose trial on the same workload its own is held to: the same weights after
            every epoch and the same figures of validation, to the last bit, told at the same step. Where validation
            runs out of sight (in another process, or in a copy of the module), truth is taken from there.
        gpus: how many it needs.
        limit_s: seconds that it may take, if that is less than what any trial may (`--limit`): for what hangs.
        data: returns the LightningDataModule to train on, in place of workloads of the harness; `module` is called with
            it. How long to train is then for `trainer`, by default for two epochs. A sample's id is its place in the
            pass, and truth is over the predictions and targets of the batches as they were recorded.
        targets: of such a batch, the tensor of one target a sample; by default the second of a pair.

    Raises:
        ScenarioError: no aggregate, or two with the same label and requirement; a pattern that is not
            `document/pattern`; an unknown variant, framework, stage, source or verdict; what is no requirement; an
            argument for the Trainer that is decided already (`ALREADY_DECIDED`); a script where none can run; data of
            its own together with what needs the harness's.

    Example::

        scenario(
            pattern="mine/accuracy", variant="recommended", module=lambda data: MyModule(data.classes),
            aggregates=[Aggregate("val_acc", of=accuracy, stage="validation")],
        )
    """
    declaring = _declaring_module()
    place = f"{declaring.f_code.co_filename}:{declaring.f_lineno}"
    if not aggregates:
        raise ScenarioError(
            f"{place}: scenario {pattern}/{variant} declares no aggregate; "
            f"name at least one figure that it reports once per epoch: aggregates=[Aggregate(...)]"
        )
    _check_known(place, "variant", variant, VARIANTS)
    _check_known(place, "framework", framework, FRAMEWORKS)
    if len(pattern.split("/")) != 2 or not all(pattern.split("/")):
        raise ScenarioError(f"{place}: pattern {pattern!r} should read 'document/pattern'")
    for aggregate in aggregates:
        _check_known(place, f"aggregate {aggregate.name!r}: stage", aggregate.stage, get_args(Stage))
        _check_known(place, f"aggregate {aggregate.name!r}: reported_in", aggregate.reported_in, get_args(Source))
        if framework != "lightning" and aggregate.reported_in != "logger":
            raise ScenarioError(
                f"{place}: aggregate {aggregate.name!r}: figures of {framework} are read from what the logger is told: "
                f"leave out reported_in={aggregate.reported_in!r}"
            )
        _check_known(place, f"aggregate {aggregate.name!r}: across", aggregate.across, get_args(Across))
        _check_requirement(place, aggregate.needs)
    labels = Counter((aggregate.label, aggregate.needs) for aggregate in aggregates)
    for (label, _), count in labels.items():
        if count > 1:
            raise ScenarioError(f"{place}: {count} aggregates are called {label!r}; no finding could tell them apart")
    for hook in hooks:
        _check_known(place, f"hook {hook.name!r}: stage", hook.stage, get_args(EpochStage))
    _check_expectations(place, expects, FINDING_VERDICTS)
    _check_requirement(place, needs)
    _check_arguments(place, framework, trainer or {}, data is not None)
    if data and (framework != "lightning" or fit or ranks > 1 or resume_from or same_as or faults != NONE):
        raise ScenarioError(
            f"{place}: data of a scenario's own, data=, is for Lightning, one rank and no faults, without fit=, "
            f"same_as= and resume_from="
        )
    if targets and not data:
        raise ScenarioError(
            f"{place}: targets= says where the targets are in batches of the scenario's own; give data="
        )
    if fit and (framework == "torch" or ranks > 1 or resume_from):
        raise ScenarioError(f"{place}: a script, fit=, runs in Lightning or Keras, on one rank, and is not resumed")
    declared = Scenario(
        pattern=pattern,
        variant=variant,
        source=source,
        module=module,
        workloads=(OWN_DATA,) if data else (workloads,) if isinstance(workloads, str) else tuple(workloads),
        aggregates=tuple(aggregates),
        framework=framework,
        hooks=tuple(hooks),
        expects=tuple(expects),
        needs=needs,
        predictions_from=predictions_from,
        trainer=dict(trainer or {}),
        ranks=ranks,
        faults=(faults,) if isinstance(faults, str) else tuple(faults),
        callbacks=callbacks,
        record=record,
        resume_from=resume_from,
        refuses=dict(refuses or {}),
        fit=fit,
        same_as=same_as,
        gpus=gpus,
        limit_s=limit_s,
        data=data,
        targets=targets,
        locator=declaring.f_globals.get("__name__", ""),
        declared_at=place,
    )
    DECLARED.scenarios.append(declared)
    return declared


def _check_known(place: str, what: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ScenarioError(f"{place}: {what} {value!r} is not one of {', '.join(known)}")


def _check_expectations(place: str, expects: Sequence[Expect], verdicts: Collection[str]) -> None:
    for expect in expects:
        _check_known(place, "expected verdict", expect.verdict, verdicts)
        _check_requirement(place, expect.needs)


def _check_requirement(place: str, needs: str) -> None:
    """Of its form only: nothing that could compare versions is to be had in a trial."""
    if needs and not _REQUIREMENT.fullmatch(needs):
        raise ScenarioError(f"{place}: needs {needs!r} is not a requirement such as 'pytorch_lightning>=2.0'")


def _check_arguments(place: str, framework: str, given: Mapping[str, Any], own_data: bool) -> None:
    if given and framework not in ALREADY_DECIDED:
        raise ScenarioError(f"{place}: a loop of {framework} has no Trainer: leave out trainer=")
    for name in given:
        if own_data and name in BY_TRAINER:
            if isinstance(given[name], bool) or not isinstance(given[name], (int, float)):
                raise ScenarioError(f"{place}: {name!r} in trainer= is {given[name]!r}, not a number")
        elif why := ALREADY_DECIDED[framework].get(name):
            raise ScenarioError(f"{place}: leave {name!r} out of trainer=: {why}")


def claim(
    id: str,
    statement: str,
    *,
    source: str,
    holds_when: Sequence[Condition],
    expects: Sequence[Expect],
) -> Claim:
    """Declare a claim of a document; see :class:`Claim`.

    Raises:
        ScenarioError: no condition, an expected verdict that claims do not have, a condition's that findings do
            not have, or what is no requirement.
    """
    declaring = _declaring_module()
    place = f"{declaring.f_code.co_filename}:{declaring.f_lineno}"
    if not holds_when:
        raise ScenarioError(f"{place}: claim {id} names no finding that could decide it")
    for condition in holds_when:
        if isinstance(condition, When):
            _check_known(place, f"claim {id}: verdict", condition.verdict, FINDING_VERDICTS)
    _check_expectations(place, expects, CLAIM_VERDICTS)
    declared = Claim(id, statement, source, tuple(holds_when), tuple(expects))
    DECLARED.claims.append((declaring.f_globals.get("__name__", ""), declared))
    return declared
