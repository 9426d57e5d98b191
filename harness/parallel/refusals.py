"""What cannot be validated in parallel with the same result, told before the first batch, with what to do."""

from typing import Any

from harness.frameworks.lightning_package import pl
from harness.parallel.late import KINDS, VALIDATED
from harness.parallel.options import Options
from harness.parallel.payload import is_defined
from harness.parallel.snapshot import average_of

VALIDATION_HOOKS = (
    "on_validation_start", "on_validation_epoch_start", "on_validation_batch_start", "on_validation_batch_end",
    "on_validation_epoch_end", "on_validation_end",
)  # fmt: skip
# Lightning's own that show or measure what goes on in the process that trains, and lose nothing else.
HARMLESS = tuple(
    getattr(pl.callbacks, name)
    for name in ("ProgressBar", "ProgressBarBase", "Timer", "DeviceStatsMonitor")
    if hasattr(pl.callbacks, name)
)
SEQUENTIAL = "leave ParallelValidation out to validate sequentially"


class CannotValidateInParallel(ValueError):  # noqa: N818  # it says what cannot be
    """Says what stands in the way, and what to do."""


def check_trainer(trainer: Any, module: Any, options: Options) -> None:
    """What is known when `fit` is set up. Raises CannotValidateInParallel."""
    if trainer.world_size > 1:
        raise CannotValidateInParallel(
            f"training runs in {trainer.world_size} processes, each of which validates a part of the data: {SEQUENTIAL}"
        )
    if _base(module, "validation_step"):
        raise CannotValidateInParallel("the module has no validation_step: define one, or leave ParallelValidation out")
    interval = trainer.val_check_interval
    if isinstance(interval, int) or interval != 1.0 or trainer.check_val_every_n_epoch is None:
        raise CannotValidateInParallel(
            f"val_check_interval={interval!r}: only the end of an epoch is validated in parallel; "
            f"use val_check_interval=1.0 with check_val_every_n_epoch, or {SEQUENTIAL}"
        )
    if trainer.min_steps and any(isinstance(each, pl.callbacks.EarlyStopping) for each in trainer.callbacks):
        raise CannotValidateInParallel(
            f"min_steps={trainer.min_steps} with EarlyStopping: which epoch is the last is not known in time: use "
            f"min_epochs, or {SEQUENTIAL}"
        )
    if trainer.overfit_batches:
        raise CannotValidateInParallel(
            f"overfit_batches={trainer.overfit_batches} validates batches of the loader that trains: {SEQUENTIAL}"
        )
    if trainer.reload_dataloaders_every_n_epochs:
        raise CannotValidateInParallel(
            f"reload_dataloaders_every_n_epochs: the worker makes its loaders once: set it to 0, or {SEQUENTIAL}"
        )
    if getattr(module, "_compiler_ctx", None) is not None:
        raise CannotValidateInParallel(
            f"the module is compiled, and its copy would not be, so figures would differ: {SEQUENTIAL}"
        )
    if trainer.limit_val_batches == 0 or not is_defined(trainer):
        raise CannotValidateInParallel(
            "there is nothing to validate: give `fit` a validation loader, with limit_val_batches above 0, or leave "
            "ParallelValidation out"
        )
    if options.start_method == "fork" and options.threads != 1:
        raise CannotValidateInParallel(
            f"threads={options.threads} with start_method='fork': torch's threads do not survive a fork; choose "
            "start_method='forkserver' or 'spawn'"
        )
    if options.start_method == "fork" and trainer.strategy.root_device.type != "cpu":
        raise CannotValidateInParallel(
            f"start_method='fork' with training on {trainer.strategy.root_device}: a forked process cannot use CUDA; "
            "leave start_method out, or choose 'spawn'"
        )
    if options.start_method == "ray":
        _check_ray()
    for callback in trainer.callbacks:
        if callback is not average_of(trainer) or options.weights is not None:
            _check_callback(callback)


def _check_ray() -> None:
    try:
        import harness.parallel.ray_worker  # noqa: F401  # which brings it along
    except ImportError as error:
        raise CannotValidateInParallel(
            f"start_method='ray' needs Ray ({error}): pip install 'epoch-harness[ray]', or choose another start_method"
        ) from error


def _check_callback(callback: Any) -> None:
    name, kind = type(callback).__name__, next((kind for kind in KINDS if isinstance(callback, kind)), pl.Callback)
    within = getattr(callback, "_every_n_train_steps", 0) or getattr(callback, "_train_time_interval", None)
    if isinstance(callback, KINDS) and within and callback.monitor is not None:
        raise CannotValidateInParallel(
            f"{name}(monitor={callback.monitor!r}) saves within an epoch, by a figure that is not known then: "
            "use every_n_epochs, or monitor=None"
        )
    if isinstance(callback, HARMLESS) or type(callback).__module__.startswith("harness.frameworks."):
        return
    told_late = kind in KINDS  # of the end of validation
    found = [
        hook
        for hook in VALIDATION_HOOKS
        if getattr(type(callback), hook) is not getattr(kind, hook) and not (told_late and hook == VALIDATED)
    ]
    if found:
        raise CannotValidateInParallel(
            f"the callback {name} has {', '.join(found)}, which would not be called in the process that trains: "
            f"give it to the worker with ParallelValidation(callbacks=lambda: [{name}(...)]), or {SEQUENTIAL}"
        )


def check_schedulers(trainer: Any) -> None:
    """What is known when training starts. Raises CannotValidateInParallel."""
    for config in trainer.lr_scheduler_configs:
        if config.reduce_on_plateau:
            raise CannotValidateInParallel(
                f"the scheduler ReduceLROnPlateau(monitor={config.monitor!r}) needs the figure when the epoch ends, "
                f"and its validation only begins then: use a scheduler that needs none, or {SEQUENTIAL}"
            )


def _base(module: Any, name: str) -> bool:
    return getattr(type(module), name, None) is getattr(pl.LightningModule, name)
