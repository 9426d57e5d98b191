"""Validates every epoch in a process of its own, while the next one trains."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import torch

from harness.frameworks.lightning_package import pl
from harness.parallel.options import OnFailure, Options, StartMethod, WhenSlower, check_choices, check_limits
from harness.parallel.outcome import Outcome
from harness.parallel.refusals import check_schedulers, check_trainer
from harness.parallel.running import Running
from harness.parallel.supervisor import Death


class ParallelValidation(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """Validates every epoch in a process of its own, while the next one trains::

        validation = ParallelValidation()
        trainer = Trainer(max_epochs=10, callbacks=[validation, EarlyStopping("val_loss"), ModelCheckpoint(...)])
        trainer.fit(module, datamodule=data)
        validation.outcomes        # of every epoch: ok, failed, timed out or skipped

    Module and data stay as they are. Their `validation_step`, hooks, `self.log` and torchmetrics run in the worker, by
    Lightning's own loop; figures are, to the bit, those of validation between two epochs with a loader that leaves the
    global random generator alone and torch on as many threads as the worker has. They are logged for their epoch at
    their step, in order, and are put into `trainer.callback_metrics` when they are known. EarlyStopping and
    ModelCheckpoint decide as they would then, later; what they save is what training had at the end of the epoch.
    Training goes on meanwhile: a stop comes late, and it is told by how many epochs.

    What cannot be had in this way is refused when `fit` starts, with what to do instead (`CannotValidateInParallel`).

    Args:
        workers: processes that validate, each one epoch at a time.
        when_slower: what an epoch does that ends while `workers` are busy and one more epoch waits: `block` training,
            be `skip`ped, or be the `latest`: the one that waited longest is skipped.
        on_failure: when an epoch could not be validated: `raise` ValidationFailed out of `fit`; validate it, and all
            that follow, in this process, one after the other (`sequential`); or `continue` without its figures. One
            that timed out has none; with `raise` that raises, unless training has ended.
        retries: how often an epoch is begun again after its worker died; an exception in it is not retried.
        time_limit: seconds that a validation, or the start of a worker, may take; None for any.
        drain_limit: seconds that the end of training waits for what is still to be validated; None for as long as
            it takes, within `time_limit` each.
        start_method: `fork` (training on the CPU only; nothing has to be picklable), `forkserver` or `spawn` (module
            and loaders are pickled once, weights never), or `ray`: by an actor of a Ray cluster each, on whichever node
            has room; the one that this process is in, else that of `RAY_ADDRESS`, else one that is started on this
            machine and ended with `fit`. By default `fork` on the CPU and `spawn` elsewhere.
        loaders: called in the worker, once: returns what to validate on. By default the `val_dataloader` of the module
            or data module, or the loaders that `fit` was given.
        callbacks: called in the worker, once: returns callbacks for the Trainer there.
        weights: called with the Trainer and the module at the end of an epoch: returns the tensors to validate by the
            names of the module's parameters and buffers, such as those of a moving average. By default the module's
            own, or the average of Lightning's `WeightAveraging`, if that is among the callbacks.
        threads: that torch computes with in the worker, if it is not forked; one there. Sums over more threads may
            differ in their last bits. On Ray, a processor is reserved for each.

    Attributes:
        outcomes: one for each epoch that was to be validated, in order, as far as they are known.
        deaths: of workers, with the time at which they were noticed.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        when_slower: WhenSlower = "block",
        on_failure: OnFailure = "raise",
        retries: int = 1,
        time_limit: float | None = 3600.0,
        drain_limit: float | None = None,
        start_method: StartMethod | None = None,
        loaders: Callable[[], Any] | None = None,
        callbacks: Callable[[], Sequence[Any]] = tuple,
        weights: Callable[[Any, Any], Mapping[str, torch.Tensor]] | None = None,
        threads: int = 1,
    ) -> None:
        """Raises ValueError: an argument is none of those that there are."""
        super().__init__()
        check_choices(
            ("when_slower", when_slower, get_args(WhenSlower)), ("on_failure", on_failure, get_args(OnFailure)),
            ("start_method", start_method, (None, *get_args(StartMethod))),
        )  # fmt: skip
        if workers < 1 or retries < 0 or threads < 1:
            raise ValueError(f"workers={workers}, retries={retries}, threads={threads}: at least 1, 0 and 1")
        check_limits(time_limit=time_limit, drain_limit=drain_limit)
        self.outcomes: list[Outcome] = []
        self.deaths: list[Death] = []
        self._options = Options(
            workers, when_slower, on_failure, retries, time_limit, drain_limit, start_method, loaders, callbacks,
            weights, threads,
        )  # fmt: skip
        self._limit_val_batches: int | float = 0
        self._callbacks: list[Any] = []
        self._running: Running | None = None

    @property
    def worker_pids(self) -> list[int]:
        """Of the workers that there are now."""
        return self._running.supervisor.pids if self._running else []

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if stage != "fit":
            return
        check_trainer(trainer, pl_module, self._options)
        self.outcomes, self.deaths = [], []
        self._limit_val_batches = trainer.limit_val_batches
        trainer.limit_val_batches = 0  # Lightning asks for it before it validates, or makes the loaders
        # First, so that an epoch's weights are those that sequential validation would see.
        self._callbacks = trainer.callbacks
        trainer.callbacks = [self, *(each for each in trainer.callbacks if each is not self)]

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        check_schedulers(trainer)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._begin(trainer, pl_module)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._begin(trainer, pl_module)  # an epoch that is resumed need not start

    def _begin(self, trainer: Any, module: Any) -> None:
        """Once, when the module's own `on_train_start` has run."""
        if self._running is None:
            self._running = Running(trainer, module, self._options, self._limit_val_batches, self.outcomes, self.deaths)
            self._running.begin()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        assert self._running is not None
        self._running.batch_trained()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        assert self._running is not None
        self._running.epoch_trained()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        if self._running is not None:  # else there was no epoch to train
            self._running.drain()
        self._end(trainer)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        try:
            if self._running is not None:
                self._running.abandon(f"training was ended by {type(exception).__name__}")
        finally:
            self._end(trainer)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._end(trainer)

    def _end(self, trainer: Any) -> None:
        """Leave everything as it was found."""
        if self._running is not None:
            self._running.end()
            self._running = None
        if self._limit_val_batches:
            trainer.limit_val_batches, self._limit_val_batches = self._limit_val_batches, 0
            trainer.callbacks = self._callbacks
