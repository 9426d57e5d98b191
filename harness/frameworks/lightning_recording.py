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
from contextlib import nullcontext
from functools import partial
from types import MethodType
from typing import Any

import torch

from harness.frameworks.callback_recording import record_callbacks, recorded
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_position import Position, is_counted
from harness.frameworks.own_data import OwnSamples
from harness.frameworks.partition import Partition, Samples
from harness.frameworks.python_calls import PythonCalls
from harness.frameworks.torch_recording import Predictions, number
from harness.history.encoding import encode_batch, encode_error, encode_figure
from harness.history.recorder import Recorder

STEPS = {"train": "training_step", "validation": "validation_step"}
STEPS_ELSEWHERE = {"test": "test_step", "predict": "predict_step"}  # that no `fit` takes
# Lightning's own, and those of older and of imagined APIs: a document's module may define them, whether
# anything calls them or not.
HOOKS = sorted(
    {name for name in dir(pl.LightningModule) if name.startswith("on_")}
    | {"setup", "teardown", "epoch_end", "training_epoch_end", "validation_epoch_end", "test_epoch_end"}
    | {"prepare_data", "configure_callbacks", "configure_optimizers", "configure_gradient_clipping", "backward"}
    | {"optimizer_step", "optimizer_zero_grad", "lr_scheduler_step", "transfer_batch_to_device"}
)
CALLBACK_HOOKS = sorted({name for name in dir(pl.Callback) if name.startswith("on_")} | {"setup", "teardown"})


def instrument(
    module: Any,
    predictions_from: str,
    samples: Samples | OwnSamples,
    samplers: dict[str, list[Partition]],
    recorder: Recorder,
    position: Position,
) -> None:
    """Attach recording to a module instance; its class stays as it is."""
    predictions = Predictions(module.get_submodule(predictions_from), partial(_aside, module))
    for stage, name in {**STEPS, **STEPS_ELSEWHERE}.items():
        if overrides(module, name):
            _record_step(module, name, samples, samplers.get(stage, []), predictions, recorder, position)
    for name in HOOKS:
        if overrides(module, name):
            _record_hook(module, name, recorder, position)
    _record_log(module, recorder, position)


def _aside(module: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is called within a module's steps, not to be traced where `torch.compile` traces these."""
    if getattr(module, "_compiler_ctx", None) is None:  # set by Lightning, from 2.0 on
        return function
    untraced: Callable[..., Any] = torch._dynamo.disable(function)
    return untraced


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
    samples: Samples | OwnSamples,
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
        ids = _identified(samples, samplers, position.loader, index, args[0] if args else kwargs["batch"])
        predictions.begin()
        recorder.write("batch", "invoke", **stamp)
        counting = is_counted(stamp)
        try:
            with PythonCalls() if counting else nullcontext() as calls:
                result = inner(*args, **kwargs)
        except BaseException as error:
            recorder.write("batch", "fail", {"ids": ids, **encode_error(error)}, **stamp)
            raise
        finally:
            position.of_step = None
        seen = encode_batch(ids, predictions.latest, samples.targets_noted, predictions.differing_runs)
        recorder.write("batch", "ok", text=seen, **stamp)
        if calls is not None:
            position.python_calls[stage] = position.python_calls.get(stage, 0) + calls.count
        return result

    replace(module, name, step)


def _identified(
    samples: Samples | OwnSamples, samplers: list[Partition], loader: int, index: int | None, batch: Any
) -> tuple[int, ...]:
    """Sample ids, of a loader of the harness's or of another."""
    if loader < len(samplers):
        assert isinstance(samples, Samples)
        given = samplers[loader].given
        return samples.identify(batch, given[index] if index is not None and index < len(given) else ())
    return samples.foreign(batch)


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

    replace(module, "log", _aside(module, log))
