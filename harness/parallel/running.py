"""One `fit` with validation beside it: epochs go in as they are trained, outcomes come out in the same order."""

import copy
import importlib
import math
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from harness.frameworks.lightning_package import NAME, pl
from harness.parallel.distant import distant
from harness.parallel.interrupts import uninterrupted
from harness.parallel.late import Late, Moment
from harness.parallel.options import Options
from harness.parallel.outcome import Outcome, Status, ValidationFailed
from harness.parallel.payload import Forked, loaders_of, pickled
from harness.parallel.refusals import CannotValidateInParallel
from harness.parallel.snapshot import changed, extra_states, loops_of, plain_attributes, tensors_to_validate, validates
from harness.parallel.supervisor import AnyWorker, Death, Supervisor, Ticket
from harness.parallel.validation import SANITY, Figures, Request, Setting, Validation
from harness.parallel.weights import Slots, tensors_of
from harness.parallel.worker import Worker

rank_zero_info = importlib.import_module(f"{NAME}.utilities.rank_zero").rank_zero_info
NOT_DUE = "not due"  # of an epoch that is not to be validated, and has its turn all the same


@dataclass(frozen=True)
class _Epoch:
    """What a ticket is about."""

    number: int
    step: int


class Running:
    """What there is while `fit` runs: memory, workers, and those who are to be told of outcomes.

    Args:
        limit_val_batches: the Trainer's, which has been taken from it.
        outcomes, deaths: are added to.

    Raises:
        CannotValidateInParallel: what a worker would have to be sent cannot be pickled.
    """

    def __init__(
        self,
        trainer: Any,
        module: Any,
        options: Options,
        limit_val_batches: float,
        outcomes: list[Outcome],
        deaths: list[Death],
    ) -> None:
        self._trainer, self._module, self._options = trainer, module, options
        self._outcomes = outcomes
        self._slots = Slots(tensors_of(module), options.workers + 1)
        self._loaders = options.loaders or loaders_of(trainer)
        self._attributes = plain_attributes(module)
        self._setting = _setting(trainer, options, limit_val_batches, self._attributes)
        self._moments: dict[int, Moment] = {}
        self._checkpoints: Path | None = None
        self._here: Validation | None = None
        self._deaths, self._warned = deaths, False
        self._drains = False
        self._steps: Mapping[str, Any] = {}
        self._turn = 0  # how many epochs were due before this one
        self._workers, self._open = self._starter(options.method(trainer.strategy.root_device.type)), ExitStack()
        self.supervisor = Supervisor(
            lambda: self._start_worker(), options.workers, self._slots.count, options.retries, options.time_limit,
            self._prepare, deaths,
        )  # fmt: skip
        self._late = Late(trainer, module, self._epoch_ended)

    def begin(self) -> None:
        """Start the workers.

        Raises:
            CannotValidateInParallel: there is no cluster to start them on.
        """
        self._start_worker = self._open.enter_context(self._workers)
        if self._trainer.num_sanity_val_steps:
            self.supervisor.hand_in(Ticket(_Epoch(SANITY, 0), 0, self._request(SANITY)))
        self.supervisor.begin()

    def _starter(self, method: str) -> AbstractContextManager[Callable[[], AnyWorker]]:
        """What starts a worker, for as long as this is entered."""
        if method == "fork":
            forked = Forked(self._module, self._loaders, self._slots, self._setting)
            return nullcontext(lambda: Worker(forked, method))
        try:
            if method == "ray":
                return self._on_ray()
            sent = pickled(self._module, self._loaders, self._slots, self._setting, self._trainer)
            return nullcontext(lambda: Worker(sent, method))
        except Exception as error:
            raise CannotValidateInParallel(
                f"the module or its validation loaders cannot be pickled ({error}), and start_method={method!r} sends "
                "them to the worker: use start_method='fork' (on the CPU), or give a factory by loaders=, such as a "
                "function of a module"
            ) from error

    def _on_ray(self) -> AbstractContextManager[Callable[[], AnyWorker]]:
        from harness.parallel.ray_worker import ray_workers  # which brings Ray along

        sent = distant(self._module, self._loaders, tensors_of(self._module), self._setting, self._trainer)
        gpus = int(self._trainer.strategy.root_device.type == "cuda")
        workers, threads = self._options.workers, self._options.threads
        return ray_workers(pickle.dumps(sent), lambda slot: self._slots.whole(slot).numpy(), workers, threads, gpus)

    def _prepare(self, slot: int) -> None:
        """Touch its pages, for which training need not wait; what a sanity check sees may be in the midst of a step."""
        if slot == 0:
            self._slots.write(slot, tensors_of(self._module))
        else:
            self._slots.whole(slot).zero_()

    def _request(self, epoch: int, turn: int = 0) -> bytes:
        attributes = changed(self._attributes, plain_attributes(self._module))
        loops, states = loops_of(self._trainer), extra_states(self._module)
        return pickle.dumps(Request(epoch, turn, loops, attributes, states, _seed(epoch)))

    def epoch_trained(self) -> None:
        """Before any other callback: hand its weights over. Its outcome is not told before `_epoch_ended` has noted
        what those that are held back are to find, however soon it is there."""
        trainer = self._trainer
        epoch = _Epoch(trainer.current_epoch, trainer.global_step)
        ticket = Ticket(epoch, None, b"", "skipped", "training was ended")
        try:
            self.release()
            ticket = self._ticket(epoch)
        finally:
            with uninterrupted():
                self.supervisor.hand_in(ticket)

    def _ticket(self, epoch: _Epoch) -> Ticket:
        trainer = self._trainer
        if self._late.beyond(epoch.number):
            reason = f"training was to stop after epoch {self._late.last_epoch}"
            return Ticket(epoch, None, b"", "skipped", reason)
        if (epoch.number + 1) % trainer.check_val_every_n_epoch or not validates(trainer):
            return Ticket(epoch, None, b"", NOT_DUE)
        turn, self._turn = self._turn, self._turn + 1
        if (slot := self._slot()) is None:
            return Ticket(epoch, None, b"", "skipped", "all workers were busy")
        weights = self._options.weights or tensors_to_validate
        self._slots.write(slot, weights(trainer, self._module))
        return Ticket(epoch, slot, self._request(epoch.number, turn))

    def _slot(self) -> int | None:
        """For the weights of the epoch that has just been trained; None if it is to be skipped."""
        supervisor = self.supervisor
        while (slot := supervisor.free_slot()) is None:
            self.release()
            if self._options.when_slower == "skip":
                return supervisor.free_slot()
            if self._options.when_slower == "latest" and (waiting := supervisor.take_back()) is not None:
                waiting.status, waiting.reason = "skipped", "a later epoch took its place"
                slot, waiting.slot = waiting.slot, None
                return slot
            supervisor.wait(lambda: supervisor.has_free_slot or supervisor.has_settled)
        return slot

    def _epoch_ended(self) -> None:
        """When callbacks that are held back would be told: note what they would find."""
        trainer = self._trainer
        epoch = trainer.current_epoch
        if epoch in self._moments:
            return
        folder = None
        if self._late.kept:
            if self._checkpoints is None:
                self._checkpoints = Path(tempfile.mkdtemp(prefix=".waiting-", dir=self._late.folder()))
            folder = self._checkpoints / str(epoch)
            folder.mkdir()
        moment = self._moments[epoch] = Moment(epoch, trainer.global_step, self._steps, self._of_training(), folder)
        moment.save(trainer, self._late.kept)

    def _of_training(self) -> dict[str, Any]:
        """What callbacks find now, less what validation has brought."""
        mine, found = self._late.metrics, self._trainer.callback_metrics
        return {key: value for key, value in found.items() if mine.get(key) is not value}

    def batch_trained(self) -> None:
        """Tell of what is settled, and note what callbacks would find if validation came now."""
        self.release()
        if self._late.held and validates(self._trainer):
            self._steps = self._of_training()

    def release(self, tell: bool = True) -> None:
        """Tell of what is settled: loggers, the Trainer, and the callbacks that were held back.

        Raises:
            ValidationFailed: an epoch could not be validated, and that was to be told so.
        """
        if tell:
            self.supervisor.restart_dead()
        for ticket in self.supervisor.settled():
            self._tell(ticket, tell)

    def _tell(self, ticket: Ticket, tell: bool) -> None:
        epoch: _Epoch = ticket.about
        try:
            if ticket.status == "lost" and tell and self._options.on_failure == "sequential":
                self._validate_here(ticket)
        except BaseException as error:
            ticket.reason = repr(error)
            raise
        finally:
            if ticket.status == "lost":
                ticket.status = "failed"
            self.supervisor.give_up(ticket.slot)
            self._note(ticket)
        if epoch.number == SANITY:
            self._complain(ticket, "the sanity check", tell)
            return
        figures: Figures | None = ticket.reply if ticket.status == "ok" else None
        if figures is not None:
            self._log(figures)
            self._warn_of(figures.kept)
        moment = self._moments.pop(epoch.number, None)
        if moment is not None:
            if tell:
                lost = figures is None and ticket.status != NOT_DUE
                self._late.tell(moment, figures.callback if figures else None, lost=lost)
            else:
                moment.forget()
        self._complain(ticket, f"epoch {epoch.number}", tell)

    def _warn_of(self, kept: Sequence[str]) -> None:
        """A worker has only what its own validations have left."""
        if kept and not self._warned and (self._options.workers > 1 or self._deaths):
            self._warned = True
            warnings.warn(
                f"validation leaves {', '.join(kept)} of the module changed, and epochs were validated by several "
                "workers: if a later validation builds on it, use workers=1 and on_failure='sequential'",
                RuntimeWarning,
                stacklevel=2,
            )

    def _note(self, ticket: Ticket) -> None:
        """Its outcome; before anything that may raise."""
        epoch: _Epoch = ticket.about
        figures: Figures | None = ticket.reply if ticket.status == "ok" else None
        if ticket.status != NOT_DUE and epoch.number != SANITY:
            self._outcomes.append(
                Outcome(
                    epoch.number, epoch.step, cast(Status, ticket.status),
                    {name: float(value) for name, value in figures.callback.items()} if figures else {},
                    ticket.reason, figures.digest if figures else "", ticket.tries, self._trainer.current_epoch,
                )
            )  # fmt: skip

    def _log(self, figures: Figures) -> None:
        trainer = self._trainer
        for metrics, step in figures.told:
            for logger in trainer.loggers:
                logger.log_metrics(metrics=dict(metrics), step=step)
                logger.save()
        trainer.callback_metrics.update(figures.callback)
        trainer.progress_bar_metrics.update(figures.progress_bar)
        trainer.logged_metrics.update(figures.logged)

    def _complain(self, ticket: Ticket, what: str, tell: bool) -> None:
        if ticket.status not in ("failed", "timed out") or not tell:
            return
        message = f"validation of {what} {'timed out' if ticket.status == 'timed out' else 'failed'}: {ticket.reason}"
        too_late = self._drains and ticket.status == "timed out"  # there is no training to be ended
        if self._options.on_failure == "raise" and not too_late:
            raise ValidationFailed(message)
        warnings.warn(message, RuntimeWarning, stacklevel=2)

    def _validate_here(self, ticket: Ticket) -> None:
        """In this process, one after the other, from now on; what raises, raises."""
        if ticket.about.number == SANITY:  # what is wrong will be seen
            ticket.status = "ok"
            return
        with pl.utilities.seed.isolate_rng():
            if self._here is None:
                warnings.warn(f"validating sequentially from now on: {ticket.reason}", RuntimeWarning, stacklevel=2)
                module = copy.deepcopy(self._module, {id(self._module.trainer): None})  # which 1.9 would take along
                self._here = Validation(module, self._loaders(), self._slots, self._setting)
                self.supervisor.retire("validation is sequential now")
            assert ticket.slot is not None
            ticket.reply = self._here((ticket.slot, ticket.request))
        ticket.status, ticket.reason = "ok", ""
        ticket.tries += 1

    def drain(self) -> None:
        """Wait for what is still open, within the limit."""
        self._drains = True
        self.supervisor.drain(self._options.drain_limit, self.release)
        if self._late.last_epoch is not None:
            beyond = sum(self._late.beyond(outcome.epoch) for outcome in self._outcomes)
            rank_zero_info(f"Training was to stop after epoch {self._late.last_epoch}, and went on for {beyond} more.")
            if beyond:
                self._late.end()

    def abandon(self, reason: str) -> None:
        """Training failed: what is not done will not be; what is, is told to loggers."""
        self.supervisor.settle_all("skipped", reason)
        self.release(tell=False)

    def end(self) -> None:
        """Stop the workers; give the callbacks back, and the memory."""
        self.supervisor.stop()
        self._open.close()
        self._late.let_go()
        self._slots.close()
        if self._checkpoints is not None:
            shutil.rmtree(self._checkpoints, ignore_errors=True)


def _setting(
    trainer: Any, options: Options, limit_val_batches: float, attributes: Mapping[tuple[str, str], Any]
) -> Setting:
    device = trainer.strategy.root_device
    before_2_0 = hasattr(trainer, "_inference_mode")
    arguments = {
        "accelerator": "gpu" if device.type == "cuda" else device.type,
        "devices": [device.index or 0] if device.type == "cuda" else 1,
        "precision": trainer.precision,
        "limit_val_batches": limit_val_batches,
        "log_every_n_steps": trainer.log_every_n_steps,
        "max_epochs": trainer.max_epochs,
        "max_steps": trainer.max_steps,
        "accumulate_grad_batches": trainer.accumulate_grad_batches,
        "default_root_dir": trainer.default_root_dir,
        "inference_mode": trainer._inference_mode if before_2_0 else trainer.validate_loop.inference_mode,
    }
    return Setting(
        arguments=arguments,
        sanity_batches=1.0 if trainer.num_sanity_val_steps == math.inf else trainer.num_sanity_val_steps,
        training_batches=trainer.num_training_batches,
        callbacks=options.callbacks,
        workers=options.workers,
        threads=options.threads,
        attributes=attributes,
    )


def _seed(epoch: int) -> int:
    """Of the generators in the worker: the same whoever validates the epoch, and however often."""
    return int(torch.initial_seed() + epoch) % 2**32
