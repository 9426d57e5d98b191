"""Those of the harness's own that a Trainer is given, to see and to be told: a callback, a logger, a progress bar."""

from contextlib import suppress
from typing import Any

from harness.frameworks.collectives import Collectives
from harness.frameworks.counters import held_bytes
from harness.frameworks.lightning_observables import generators, learning_rates
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_position import Position, is_counted
from harness.frameworks.torch_recording import checksums, number
from harness.history.recorder import Recorder

PROGRESS_BAR = getattr(pl.callbacks, "ProgressBar", None) or pl.callbacks.ProgressBarBase  # as 1.9 calls it


class Joining(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """To be the first that each of several ranks calls; notes the collectives of every epoch, to its very end, which is
    after all of its hooks."""

    def __init__(self, recorder: Recorder, position: Position) -> None:
        self._recorder = recorder
        self._collectives = Collectives(lambda: position.of_step is not None)
        self._epoch: int | None = None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._recorder.join(trainer.global_rank)
        self._collectives.attach()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._note()
        self._epoch = trainer.current_epoch

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._note()

    def _note(self) -> None:
        counted = self._collectives.take()
        if self._epoch is not None:
            self._recorder.write("collectives", "ok", counted, stage="train", epoch=self._epoch)


class RecordingCallback(pl.Callback):  # type: ignore[name-defined,misc]  # as above
    """Notes the trainer's progress and the figures that callbacks see."""

    def __init__(self, recorder: Recorder, position: Position, metrics: dict[str, Any], callback_metrics: bool) -> None:
        self._recorder = recorder
        self._position = position
        self._metrics = metrics
        self._callback_metrics = callback_metrics
        self._learning_rates: list[list[float | str]] = []

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
        if not is_counted(stamp):
            return
        calls = self._position.python_calls.get(stamp["stage"], 0)
        self._recorder.write("counters", "ok", {"held_bytes": held_bytes(module), "python_calls": calls}, **stamp)

    def _note_weights(self, pl_module: Any) -> None:
        self._recorder.write("weights", "info", checksums(pl_module), **self._position.stamp())

    def _note_generators(self) -> None:
        self._recorder.write("generators", "info", generators(), **self._position.stamp())

    def _note_learning_rates(self, trainer: Any) -> None:
        """When they are others than before."""
        now = learning_rates(trainer)
        if now != self._learning_rates:
            self._learning_rates = now
            self._recorder.write("learning_rate", "info", now, **self._position.stamp())

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.trainer = trainer
        self._note("on_fit_start")
        self._note_weights(pl_module)
        self._note_generators()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_train_epoch_start")

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._batch_starts(batch_idx, 0)
        self._note_learning_rates(trainer)

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_validation_epoch_start")

    def on_test_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_test_epoch_start")

    def on_predict_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_predict_epoch_start")

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._batch_starts(batch_idx, dataloader_idx)

    on_test_batch_start = on_predict_batch_start = on_validation_batch_start

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

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    def on_test_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_test_epoch_end")

    def on_predict_epoch_end(self, trainer: Any, pl_module: Any, outputs: Any = None) -> None:  # which 1.9 passes on
        self._position.batch = None
        self._note("on_predict_epoch_end")

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_validation_epoch_end")
        self._note_counters(pl_module)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._note_callback_metrics(trainer)

    on_test_end = on_validation_end

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._position.batch = None
        self._note("on_train_epoch_end")
        self._note_counters(pl_module)
        self._note_callback_metrics(trainer)
        self._note_weights(pl_module)
        self._note_generators()

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

    def __reduce__(self) -> Any:
        """What a pickle of a Trainer has in this place, and a copy: a `DummyLogger`'s own would be None."""
        return pl.loggers.logger.DummyLogger, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return pl.loggers.logger.DummyLogger()

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


def progress_bar(recorder: Recorder, position: Position, of_validation: bool) -> Any:
    """`of_validation`: whether a scenario reads figures of validation there."""

    class RecordingProgressBar(PROGRESS_BAR):  # type: ignore[misc,valid-type]  # it depends on the version
        """Shows nothing, and notes what a bar would show after each training batch, and after a validation."""

        def disable(self) -> None:
            pass

        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any, **kwargs: Any) -> None:
            super().on_train_batch_end(trainer, pl_module, *args, **kwargs)
            self._note(trainer, pl_module)

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            super().on_validation_end(trainer, pl_module)
            if of_validation:
                self._note(trainer, pl_module)

        def _note(self, trainer: Any, pl_module: Any) -> None:
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
