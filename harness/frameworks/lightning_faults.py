"""Injects faults into a training of Lightning's, where a user's own code or machine would bring them about."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from harness.faults import checkpoint, process
from harness.faults.fault import Fault, InjectedError
from harness.faults.injector import Injector
from harness.faults.loader import block, faulty_pass, told_length
from harness.faults.step import relabelled, throw
from harness.frameworks.lightning_package import pl
from harness.frameworks.lightning_position import Position
from harness.frameworks.lightning_recording import STEPS, overrides, replace
from harness.frameworks.partition import Partition, Samples
from harness.history.encoding import encode_error
from harness.workloads.sharing import Batches
from harness.workloads.workload import Workload

OutOfMemory = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)  # has the short name since torch 2.5
MORE_THAN_THERE_IS = 2**50  # bytes


class WrongIndex(int):
    """The index of a sample that something is wrong with; tells so in worker processes too."""

    wrong: str
    message: str


class FaultySamples(Samples):
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        features, targets = super().__getitem__(index)
        if not isinstance(index, WrongIndex):
            return features, targets
        if index.wrong == "getitem_raises":
            raise InjectedError(index.message)
        if index.wrong == "batch_changes_shape":
            return features[:-1], targets
        return torch.full_like(features, torch.nan), targets


class FaultyPartition(Partition):
    """A batch sampler that passes on what is wrong with a sample by its index."""

    def __init__(self, batches: Batches, injector: Injector, stage: str, position: Position) -> None:
        super().__init__(batches)
        self._injector = injector
        self._stage = stage
        self._position = position
        self._wrong: Fault | None = None
        self._says: int | None = None
        self._asked = False

    def __len__(self) -> int:
        if not self._asked:
            self._says, self._asked = told_length(len(self._of_this_rank()), self._injector, self._stage), True
        if self._says is None:
            raise TypeError("this loader does not know how many batches it has")
        return self._says

    def __iter__(self) -> Iterator[list[int]]:
        if self._position.stage() == "sanity":
            yield from super().__iter__()
            return
        self.begin()
        epoch = self._position.trainer.current_epoch
        for batch in faulty_pass(self._of_this_rank(), self._injector, self._stage, epoch, self._strike):
            self.given.append(batch)
            yield self._marked(batch)

    def _strike(self, fault: Fault, index: int) -> None:
        if fault.kind == "worker_killed":
            worker = max(multiprocessing.active_children(), key=lambda child: child.pid or 0)  # the last to be started
            os.kill(worker.pid or 0, signal.SIGKILL)
            block()  # until torch's handler of SIGCHLD raises, here and nowhere later
        self._wrong = fault

    def _marked(self, batch: tuple[int, ...]) -> list[int]:
        fault, self._wrong = self._wrong, None
        if fault is None:
            return list(batch)
        ill = 1 if fault.kind == "corrupt_sample" else len(batch)
        marked = [WrongIndex(index) for index in batch[:ill]]
        for index in marked:
            index.wrong, index.message = fault.kind, fault.message
        return [*marked, *batch[ill:]]


class FaultyCallback(pl.Callback):  # type: ignore[name-defined,misc]  # the package is chosen at run time
    """One that raises where epochs end, and brings about what comes from outside when they start.

    Args:
        kind: `callback.raises_before` or `callback.raises_after`: of the scenario's own callbacks.
    """

    def __init__(self, injector: Injector, kind: str) -> None:
        self._injector = injector
        self._kind = kind

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._injector.rank = trainer.global_rank

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._raise("train", trainer)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            self._raise("validation", trainer)

    def _raise(self, stage: str, trainer: Any) -> None:
        for fault in self._injector.due("hook", stage, trainer.current_epoch, kinds=[self._kind]):
            throw(self._injector, fault)


class FirstFaultyCallback(FaultyCallback):
    """The one before all others."""

    def __init__(self, injector: Injector) -> None:
        super().__init__(injector, "callback.raises_before")
        self._again = False

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        for fault in self._injector.due("epoch", "train", trainer.current_epoch):
            if fault.kind == "threads_alive":
                self._injector.fire(fault)
                process.outlive_the_main_thread()
                continue
            for stopping in [each for each in trainer.callbacks if isinstance(each, pl.callbacks.EarlyStopping)]:
                self._injector.fire(fault)
                # Whatever the monitored figure will be, it is beyond that.
                stopping.stopping_threshold = torch.inf if stopping.mode == "min" else -torch.inf

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        if self._again:
            self._again = False
            signal.raise_signal(signal.SIGINT)

    def strike_again(self) -> None:
        """While what was struck first is being dealt with."""
        self._again = True


class FaultlessTraining:
    """Nothing is wrong with it."""

    def around(self, callbacks: list[Any]) -> list[Any]:
        return callbacks

    def arguments(self) -> dict[str, Any]:
        return {}

    def samples(self, workload: Workload) -> Samples:
        return Samples(workload)

    def partition(self, batches: Batches, stage: str) -> Partition:
        return Partition(batches)

    def loader(self, samples: Samples, partition: Partition, stage: str, **options: Any) -> DataLoader:
        return samples.loader(partition, **options)

    def spoil_steps(self, module: Any) -> None: ...
    def spoil_logger(self, logger: Any) -> None: ...
    def spoil_checkpoints(self, trainer: Any) -> None: ...


class FaultyTraining(FaultlessTraining):
    """All that is wrong with one `fit`, and the places that it has to be put in."""

    def __init__(self, injector: Injector, position: Position, device: str) -> None:
        self.injector = injector
        self._position = position
        self._device = device
        self._first = FirstFaultyCallback(injector)

    def around(self, callbacks: list[Any]) -> list[Any]:
        """The callbacks of a Trainer, with those before and after them that raise."""
        return [self._first, *callbacks, FaultyCallback(self.injector, "callback.raises_after")]

    def arguments(self) -> dict[str, Any]:
        """What the Trainer has to be told for a fault to be possible."""
        return {"max_time": {"hours": 1}} if self.injector.plans("process.max_time") else {}

    def samples(self, workload: Workload) -> Samples:
        return FaultySamples(workload)

    def partition(self, batches: Batches, stage: str) -> Partition:
        return FaultyPartition(batches, self.injector, stage, self._position)

    def loader(self, samples: Samples, partition: Partition, stage: str, **options: Any) -> DataLoader:
        if self.injector.plans("loader.worker_killed", stage):
            options |= {"num_workers": 1, "prefetch_factor": 1, "multiprocessing_context": "fork"}
        return samples.loader(partition, **options)

    def spoil_steps(self, module: Any) -> None:
        """To be called before recording is attached: what goes wrong in a step happens within it."""
        for name in STEPS.values():
            if overrides(module, name):
                self._spoil_step(module, name)

    def _spoil_step(self, module: Any, name: str) -> None:
        inner = getattr(module, name)

        def step(batch: Any, *args: Any, **kwargs: Any) -> Any:
            stamp = self._position.stamp()
            place = (stamp["stage"], stamp["epoch"], stamp["batch"])
            for fault in self.injector.due("step", *place):
                batch = self._strike(fault, batch, place[2])
            result = inner(batch, *args, **kwargs)
            for fault in self.injector.due("loss", *place):
                self.injector.fire(fault, place[2])
                result = None if fault.kind == "returns_none" else _times_nan(result)
            return result

        replace(module, name, step)

    def _strike(self, fault: Fault, batch: Any, index: int) -> Any:
        """Returns the batch that the step goes on with."""
        if fault.kind in ("exception", "rank_raises"):
            throw(self.injector, fault, index)
        if fault.kind == "out_of_memory":
            self._run_out_of_memory(fault, index)
        self.injector.fire(fault, index)
        if fault.kind.startswith("labels"):
            return relabelled(fault, batch, broadcast=lambda targets: targets.squeeze(-1))
        if fault.kind == "stop_requested":
            self._position.trainer.should_stop = True
        elif fault.kind == "max_time":
            self._let_time_pass()
        else:
            if fault.kind == "interrupt_twice":
                self._first.strike_again()
            process.strike(fault)
        return batch

    def _run_out_of_memory(self, fault: Fault, index: int) -> None:
        """On a GPU by asking for too much; on a CPU the kernel would kill, so only torch's exception is there."""
        error = OutOfMemory(fault.message)
        self.injector.fire(fault, index, encode_error(error) | ({"message": ""} if self._device == "cuda" else {}))
        if self._device == "cuda":
            torch.empty(MORE_THAN_THERE_IS, dtype=torch.uint8, device="cuda")
        raise error

    def _let_time_pass(self) -> None:
        """As much as there was, as if training had been going on before."""
        trainer = self._position.trainer
        (timer,) = (each for each in trainer.callbacks if isinstance(each, pl.callbacks.Timer))
        timer.load_state_dict({"time_elapsed": {"train": 3600.0}})

    def spoil_logger(self, logger: Any) -> None:
        inner = logger.log_metrics

        def log_metrics(metrics: Any, step: Any = None) -> None:
            stamp = self._position.stamp()
            for fault in self.injector.due("log", stamp["stage"], stamp["epoch"]):
                throw(self.injector, fault)
            inner(metrics, step)

        logger.log_metrics = log_metrics

    def spoil_checkpoints(self, trainer: Any) -> None:
        inner = trainer.strategy.save_checkpoint

        def save_checkpoint(content: Any, filepath: Any, storage_options: Any = None) -> None:
            for fault in self.injector.due("save", "train", trainer.current_epoch):
                self.injector.fire(fault)
                checkpoint.save(fault, lambda path: inner(content, path, storage_options), str(filepath))
                return
            inner(content, filepath, storage_options)

        trainer.strategy.save_checkpoint = save_checkpoint


def _times_nan(result: Any) -> Any:
    if result is None:  # of a step that another fault has skipped
        return None
    if isinstance(result, dict):
        return {**result, "loss": result["loss"] * torch.nan}
    return result * torch.nan
