"""Attaches recording to a LightningModule and a Trainer, from outside and by public means only.

A callback, a logger and a progress bar of our own; a forward hook; and, on the module *instance*, wrappers
around `log`, the steps and those hooks that its class overrides. Lightning looks at whether a hook is
overridden, and takes other paths if so, hence two rules: no hook is defined that the module did not define,
and no wrapper carries ``__wrapped__`` (set by `functools.wraps`), which Lightning from 2.2 on follows and then
believes the hook is the base class's. `tests/scenarios/test_recording_changes_nothing.py` holds on each
minor from 1.9 to 2.6.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from types import MethodType
from typing import Any

from harness.frameworks.callback_recording import record_callbacks, recorded
from harness.frameworks.counters import held_bytes
from harness.frameworks.lightning_package import pl
from harness.frameworks.partition import Partition, Samples
from harness.frameworks.python_calls import PythonCalls
from harness.frameworks.torch_recording import Predictions, checksums, number
from harness.history.encoding import encode_batch, encode_error, encode_figure
from harness.history.recorder import Recorder

STEPS = {"train": "training_step", "validation": "validation_step"}
# Lightning's own, and those of older and of imagined APIs: a document's module may define them, whether
# anything calls them or not.
HOOKS = sorted(
    {name for name in dir(pl.LightningModule) if name.startswith("on_")}
    | {"setup", "teardown", "epoch_end", "training_epoch_end", "validation_epoch_end", "test_epoch_end"}
)
# Of callbacks; those that put things into a checkpoint or take them out follow its being written or read.
CALLBACK_HOOKS = sorted(
    {name for name in dir(pl.Callback) if name.startswith("on_")} - {"on_save_checkpoint", "on_load_checkpoint"}
    | {"setup", "teardown"}
)
COUNTED_EPOCH = 1  # in the first, some calls only fill caches


class Position:
    """Where training stands: what every operation is stamped with."""

    def __init__(self) -> None:
        self.trainer: Any = None
        self.batch: int | None = None
        self.loader = 0
        self.of_step: dict[str, Any] | None = None
        self.python_calls: dict[str, int] = {}

    def stage(self) -> str | None:
        if self.trainer is None:
            return None
        if self.trainer.sanity_checking:
            return "sanity"
        if self.trainer.validating or getattr(self.trainer.state, "stage", None) == "validate":
            return "validation"
        return "train" if self.trainer.training else None

    def stamp(self) -> dict[str, Any]:
        """Within a step nothing of it changes, and it is read from the trainer once."""
        if self.trainer is None:
            return {}
        return self.of_step or {
            "stage": self.stage(),
            "epoch": self.trainer.current_epoch,
            "step": self.trainer.global_step,
            "batch": self.batch,
        }


class Joining(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """To be the first that each of several ranks calls."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._recorder.join(trainer.global_rank)


class RecordingCallback(pl.Callback):  # type: ignore[name-defined,misc]  # as above
    """Notes the trainer's progress and the figures that callbacks see."""

    def __init__(self, recorder: Recorder, position: Position, metrics: dict[str, Any], callback_metrics: bool) -> None:
        self._recorder = recorder
        self._position = position
        self._metrics = metrics
        self._callback_metrics = callback_metrics
        self._planned: dict[str, Any] = {}

    def plan_when_fit_starts(self, planned: dict[str, Any]) -> None:
        """Without validation, if the Trainer does none then."""
        self._planned = planned

    def _note(self, hook: str) -> None:
        self._recorder.write(hook, "info", **self._position.stamp())

    def _note_callback_metrics(self, trainer: Any) -> None:
        """Only where a scenario reads them: Lightning computes them anew whenever they are asked for."""
        if not self._callback_metrics:
            return
        value = {name: number(metric) for name, metric in trainer.callback_metrics.items()}
        self._recorder.write("callback_metrics", "ok", value, **self._position.stamp())

    def _note_metric_states(self, moment: str) -> None:
        """How many updates each torchmetrics object holds around the first batch of a pass; nothing is computed."""
        if self._metrics:
            updates = {name: metric._update_count for name, metric in self._metrics.items()}
            self._recorder.write("metric_state", "ok", {"moment": moment, "updates": updates}, **self._position.stamp())

    def _note_counters(self, module: Any) -> None:
        """Before the module's own hook gives up what it holds."""
        stamp = self._position.stamp()
        if stamp["epoch"] != COUNTED_EPOCH:
            return
        calls = self._position.python_calls.get(stamp["stage"], 0)
        self._recorder.write("counters", "ok", {"held_bytes": held_bytes(module), "python_calls": calls}, **stamp)

    def _note_weights(self, pl_module: Any) -> None:
        self._recorder.write("weights", "info", checksums(pl_module), **self._position.stamp())

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.trainer = trainer
        if self._planned:
            stages = [each for each in self._planned["stages"] if each == "train" or trainer.enable_validation]
            self._recorder.write("plan", "info", {**self._planned, "stages": stages})
        self._note("on_fit_start")
        self._note_weights(pl_module)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_train_epoch_start")

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._batch_starts(batch_idx, 0)

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_validation_epoch_start")

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._batch_starts(batch_idx, dataloader_idx)

    def _batch_starts(self, index: int, loader: int) -> None:
        self._position.batch, self._position.loader = index, loader
        if (index, loader) == (0, 0):
            self._note_metric_states("before")

    def _batch_ends(self, index: int) -> None:
        if (index, self._position.loader) == (0, 0):
            self._note_metric_states("after")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._batch_ends(batch_idx)

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._batch_ends(batch_idx)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_validation_epoch_end")
        self._note_counters(pl_module)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._note_callback_metrics(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_train_epoch_end")
        self._note_counters(pl_module)
        self._note_callback_metrics(trainer)
        self._note_weights(pl_module)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._note("on_train_end")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._note("on_exception")


class RecordingLogger(pl.loggers.logger.DummyLogger):  # type: ignore[name-defined,misc]  # as above
    """Notes what the logger is told, with the step and epoch it is told; whatever else a logger has does nothing."""

    def __init__(self, recorder: Recorder, position: Position) -> None:
        super().__init__()
        self._recorder = recorder
        self._position = position

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if not self._position.trainer.is_global_zero:  # as every logger of Lightning's own
            return
        value = {
            "step": step,
            "epoch": metrics.get("epoch"),
            "metrics": {name: number(metric) for name, metric in metrics.items() if name != "epoch"},
        }
        self._recorder.write("logger", "ok", value, **self._position.stamp())

    def finalize(self, status: str) -> None:
        self._recorder.write("Logger.finalize", "invoke", **self._position.stamp())
        self._recorder.write("Logger.finalize", "ok", {"status": status}, **self._position.stamp())


def progress_bar(recorder: Recorder, position: Position) -> Any:
    base = getattr(pl.callbacks, "ProgressBar", None) or pl.callbacks.ProgressBarBase

    class RecordingProgressBar(base):  # type: ignore[misc,valid-type]  # 1.9 calls it ProgressBarBase
        """Shows nothing, and notes what a bar would show after each training batch."""

        def disable(self) -> None:
            pass

        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any, **kwargs: Any) -> None:
            super().on_train_batch_end(trainer, pl_module, *args, **kwargs)
            shown = self.get_metrics(trainer, pl_module)
            value = {name: number(_as_number(metric)) for name, metric in shown.items()}
            recorder.write("progress_bar", "ok", value, **position.stamp())

    return RecordingProgressBar()


def _as_number(shown: Any) -> Any:
    """Lightning 1.9 formats the loss for display before it hands it over."""
    if isinstance(shown, str):
        with suppress(ValueError):
            return float(shown)
    return shown


def instrument(
    module: Any,
    predictions_from: str,
    samples: Samples,
    samplers: dict[str, list[Partition]],
    recorder: Recorder,
    position: Position,
) -> None:
    """Attach recording to a module instance; its class stays as it is."""
    predictions = Predictions(module.get_submodule(predictions_from))
    for stage, name in STEPS.items():
        if overrides(module, name):
            _record_step(module, name, samples, samplers[stage], predictions, recorder, position)
    for name in HOOKS:
        if overrides(module, name):
            _record_hook(module, name, recorder, position)
    _record_log(module, recorder, position)


def overrides(module: Any, name: str) -> bool:
    """Whether the module's own classes define a method, as Lightning asks before it runs a stage or a hook."""
    return getattr(type(module), name, None) is not getattr(pl.LightningModule, name, None)


def replace(module: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """By a bound method: Lightning reads the signatures of steps and hooks to decide which arguments to pass, by
    `getfullargspec` and less the first of them."""

    own = getattr(type(module), name)

    def method(instance: Any, *args: Any, **kwargs: Any) -> Any:
        if instance is not module:  # a deep copy, which is as if nothing had been replaced
            return own(instance, *args, **kwargs)
        return wrapper(*args, **kwargs)

    method.__name__ = name  # by which it is pickled: it is its class's own, then
    method.__signature__ = inspect.signature(own)  # type: ignore[attr-defined]
    setattr(module, name, MethodType(method, module))


def _record_step(
    module: Any,
    name: str,
    samples: Samples,
    samplers: list[Partition],
    predictions: Predictions,
    recorder: Recorder,
    position: Position,
) -> None:
    inner = getattr(module, name)

    def step(*args: Any, **kwargs: Any) -> Any:
        if position.of_step is not None:  # a step that calls another step is one step
            return inner(*args, **kwargs)
        position.of_step = stamp = position.stamp()
        index, stage = stamp["batch"], stamp["stage"]
        given = samplers[position.loader].given
        supposed = given[index] if index is not None and index < len(given) else ()
        ids = samples.identify(args[0] if args else kwargs["batch"], supposed)
        predictions.latest = None
        recorder.write("batch", "invoke", **stamp)
        counting = stamp["epoch"] == COUNTED_EPOCH
        try:
            with PythonCalls() if counting else nullcontext() as calls:
                result = inner(*args, **kwargs)
        except BaseException as error:
            recorder.write("batch", "fail", {"ids": ids, **encode_error(error)}, **stamp)
            raise
        finally:
            position.of_step = None
        recorder.write("batch", "ok", text=encode_batch(ids, predictions.latest), **stamp)
        if calls is not None:
            position.python_calls[stage] = position.python_calls.get(stage, 0) + calls.count
        return result

    replace(module, name, step)


def _record_hook(module: Any, name: str, recorder: Recorder, position: Position) -> None:
    replace(module, name, recorded(getattr(module, name), name, recorder, position))


def record_own_callbacks(callbacks: Sequence[Any], recorder: Recorder, position: Position) -> list[dict[str, Any]]:
    """Record the hooks of a scenario's own callbacks, as `record_callbacks` does."""
    kinds = {"checkpoint": pl.callbacks.Checkpoint, "monitor": pl.callbacks.EarlyStopping}
    return record_callbacks(callbacks, pl.Callback, CALLBACK_HOOKS, kinds, recorder, position)


def _record_log(module: Any, recorder: Recorder, position: Position) -> None:
    inner = module.log

    def log(name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        options = tuple((key, option) for key, option in kwargs.items() if isinstance(option, (bool, int, str)))
        recorder.write("log", "info", text=encode_figure(name, number(value), options), **position.stamp())
        inner(name, value, *args, **kwargs)

    replace(module, "log", log)
