"""Whatever a module does in validation, beside training it comes to the same figures, to the bit."""

import os
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics import Accuracy, MaxMetric

from harness.frameworks.lightning_package import pl
from harness.parallel import ParallelValidation
from tests.parallel.comparing import EPOCHS, Module, compare, samples, train, train_loader, val_loader

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*shuffling enabled:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]


class LogsEverywhere(Module):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        super().validation_step(batch, batch_idx)
        self.log("val_step", float(batch_idx), on_step=True, on_epoch=True)
        self.log("val_where", self.current_epoch + self.global_step / 100)
        self.seen = getattr(self, "seen", 0) + (not self.trainer.sanity_checking)

    def on_validation_epoch_end(self) -> None:
        self.log("val_seen", float(self.seen))
        self.log_dict({"val_last_loss": self.trainer.callback_metrics["val_loss"]})


def decayed(average: Any, now: Any, count: Any) -> Any:
    return 0.9 * average + 0.1 * now


class Average(Module):
    """A moving average of its own, which is what is validated; a buffer that no checkpoint has; a temperature that
    training changes."""

    def __init__(self) -> None:
        super().__init__()
        self.average = torch.optim.swa_utils.AveragedModel(self.net, avg_fn=decayed)
        self.register_buffer("steps", torch.zeros(()), persistent=False)
        self.temperature = 1.0
        self.scale = 1.0

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.update_parameters(self.net)
        self.steps += 1
        self.temperature *= 0.99
        self.scale = self.scale * np.exp(-0.01)  # from now on a number of NumPy's

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.log("val_loss", torch.nn.functional.cross_entropy(self.average(batch[0]) / self.temperature, batch[1]))
        self.log("val_steps", self.steps)
        self.log("val_scale", float(self.scale))


class ExtraState(Module):
    def __init__(self) -> None:
        super().__init__()
        self.net.add_module("scale", Scale())

    def on_train_batch_end(self, *_: Any) -> None:
        self.net.scale.factors["now"] *= 0.97


class Scale(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factors = {"now": 1.0}

    def forward(self, x: Any) -> Any:
        return x * self.factors["now"]

    def get_extra_state(self) -> Any:
        return dict(self.factors)

    def set_extra_state(self, state: Any) -> None:
        self.factors = dict(state)


class Manual(Module):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        loss = super().training_step(batch, batch_idx)
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()
            optimizer.zero_grad()

    def configure_optimizers(self) -> Any:
        first, *others = self.parameters()
        return [torch.optim.SGD([first], 0.1), torch.optim.SGD(others, 0.05)]


class Best(Module):
    """Keeps the best figure so far, from when training begins; a tensor that is no buffer scales what is validated."""

    def __init__(self) -> None:
        super().__init__()
        self.best = MaxMetric()
        self.validations, self.scale = 0, torch.ones(3)

    def on_train_start(self) -> None:
        self.best.reset()

    def on_train_batch_end(self, *_: Any) -> None:
        self.scale = self.scale * 0.9

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        outputs = self(batch[0]) * self.scale
        self.log("val_loss", torch.nn.functional.cross_entropy(outputs, batch[1]))

    def on_validation_epoch_end(self) -> None:
        self.best(10.0 if self.trainer.sanity_checking else -self.trainer.callback_metrics["val_loss"])
        self.validations += not self.trainer.sanity_checking
        self.log("val_best", self.best.compute())
        self.log("val_count", float(self.validations))
        self.log("val_batches", float(self.trainer.num_training_batches * self.trainer.max_epochs))


class Configured(Module):
    """Makes its network, with weights of its own, whenever it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared = 0

    def configure_model(self) -> None:
        self.net = Module().net

    def prepare_data(self) -> None:
        self.prepared += 1

    def on_validation_epoch_end(self) -> None:
        self.log("val_prepared", float(self.prepared))


class SeveralLoaders(Module):
    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        self.log("val_loss", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))


class Tied(Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(10, 10), torch.nn.Linear(10, 10)
        self.second.weight = self.first.weight

    def forward(self, x: Any) -> Any:
        return super().forward(self.second(self.first(x)))


class Data(pl.LightningDataModule):
    """As many do it: other data whenever it is set up."""

    def setup(self, stage: str) -> None:
        self.batch = len(stage) + int(torch.randint(1, 4, ()))

    def train_dataloader(self) -> Any:
        return train_loader()

    def val_dataloader(self) -> Any:
        return val_loader(self.batch)


class WithLoaders(Module):
    train_dataloader = staticmethod(train_loader)
    val_dataloader = staticmethod(val_loader)


BFLOAT16 = "bf16" if pl.__version__ < "2" else "bf16-mixed"
WAYS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "logs in steps and hooks": {"module": LogsEverywhere},
    "average, buffers, attributes": {"module": Average},
    "extra state": {"module": ExtraState},
    "two optimizers by hand": {"module": Manual},
    "several loaders": {"module": SeveralLoaders, "loaders": lambda: [val_loader(), val_loader(9)]},
    "tied weights": {"module": Tied},
    "what is kept from epoch to epoch": {"module": Best},
    "network that is made late": {"module": Configured},
    "whole sanity check": {"num_sanity_val_steps": -1},
    "data module": {"fit": lambda trainer, module: trainer.fit(module, datamodule=Data())},
    "loaders of the module": {"module": WithLoaders, "fit": lambda trainer, module: trainer.fit(module)},
    "accumulation": {"accumulate_grad_batches": 3},
    "every second epoch": {"check_val_every_n_epoch": 2},
    "some batches": {"limit_val_batches": 2, "limit_train_batches": 3},
    "bfloat16": {"precision": BFLOAT16},
    "no sanity check": {"num_sanity_val_steps": 0},
    "gradients in validation": {"inference_mode": False},
}


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
def test_figures_and_weights_are_those_of_sequential_validation(how: Any) -> None:
    validation = ParallelValidation()

    compare(validation, **how)

    assert {outcome.status for outcome in validation.outcomes} == {"ok"}


@pytest.mark.parametrize("how", [{"workers": 2}, {"when_slower": "block", "workers": 3}], ids=str)
def test_several_workers_give_the_same_in_the_same_order(how: Any) -> None:
    validation = ParallelValidation(**how)

    compare(validation)

    assert [outcome.epoch for outcome in validation.outcomes] == list(range(EPOCHS))


class Double(Tied):
    """Makes a number when it validates."""

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        super().validation_step(batch, batch_idx)
        self.log("val_third", torch.tensor(1.0) / 3)


@pytest.mark.parametrize(("method", "module"), [("spawn", Double), ("forkserver", Average)])
def test_so_does_a_process_that_was_not_forked(method: Any, module: Any) -> None:
    torch.set_default_dtype(torch.float64 if module is Double else torch.float32)
    try:
        compare(ParallelValidation(start_method=method, loaders=val_loader), module=module)
    finally:
        torch.set_default_dtype(torch.float32)


def test_several_workers_are_warned_of_what_is_kept() -> None:
    with pytest.warns(RuntimeWarning, match=r"leaves .*validations.*best.state of the module changed.*use workers=1"):
        train(Best, [ParallelValidation(workers=2)])


@pytest.mark.skipif(not hasattr(pl.callbacks, "WeightAveraging"), reason="WeightAveraging came with Lightning 2.6")
def test_averaged_weights_are_validated() -> None:
    def callbacks() -> list[Any]:
        return [pl.callbacks.EMAWeightAveraging(decay=0.9)]

    _, parallel = compare(callbacks=callbacks)

    plain = train()
    assert parallel.logger.of_validation() != plain.logger.of_validation()


def test_weights_can_be_chosen() -> None:
    def zeros(trainer: Any, module: Any) -> dict[str, torch.Tensor]:
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}

    parallel = train(callbacks=[ParallelValidation(weights=zeros)])

    targets = samples().tensors[1]
    assert {metrics["val_acc"] for metrics, _ in parallel.logger.of_validation()} == {
        (targets == 0).float().mean().item()
    }


def test_callbacks_find_the_figures_without_a_logger() -> None:
    sequential, parallel = compare(logger=False)

    assert parallel.figures["val_loss"] == sequential.figures["val_loss"]


def test_worker_has_callbacks_of_its_own() -> None:
    validation = ParallelValidation(callbacks=lambda: [AddsFigure()])

    parallel = train(callbacks=[validation])

    assert [metrics["val_added"] for metrics, _ in parallel.logger.of_validation()] == [0.0, 1.0, 2.0, 3.0]


class AddsFigure(pl.Callback):
    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        pl_module.log("val_added", float(trainer.current_epoch))


class Draws(Module):
    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.log("val_draw", torch.rand(()))


def test_what_validation_draws_depends_on_the_epoch_alone() -> None:
    one, two = (train(Draws, [ParallelValidation(workers=workers)]) for workers in (1, 2))

    assert one.logger.of_validation() == two.logger.of_validation()
    assert len({metrics["val_draw"] for metrics, _ in one.logger.of_validation()}) == EPOCHS


def test_shuffling_by_a_generator_goes_on_from_epoch_to_epoch() -> None:
    def shuffled() -> Any:
        draw = torch.Generator().manual_seed(5)
        return torch.utils.data.DataLoader(samples(), batch_size=7, shuffle=True, generator=draw)

    compare(loaders=shuffled, module=LogsEverywhere)


def test_everything_is_left_as_it_was_found() -> None:
    validation, stopping = ParallelValidation(), pl.callbacks.EarlyStopping("val_loss", patience=100)

    parallel = train(callbacks=[validation, stopping])

    assert parallel.trainer.limit_val_batches == 1.0
    assert not {"on_validation_end", "on_train_epoch_end"} & set(vars(stopping))
    assert validation.worker_pids == []
    parallel.trainer.validate(parallel.module, val_loader(), verbose=False)
    assert parallel.trainer.callback_metrics["val_loss"].item() == parallel.figures["val_loss"]


def test_fit_can_be_called_again() -> None:
    validation = ParallelValidation()
    twice = partial(_fit_twice)

    compare(validation, fit=twice)

    assert [outcome.epoch for outcome in validation.outcomes] == [2, 3]


def _fit_twice(trainer: Any, module: Any) -> None:
    trainer.fit_loop.max_epochs = 2
    trainer.fit(module, train_loader(), val_loader())
    trainer.fit_loop.max_epochs = EPOCHS
    trainer.fit(module, train_loader(), val_loader())


class LogsMetricsInTraining(Module):
    """Lightning remembers which attribute a metric object is, by the identity of the object."""

    def __init__(self) -> None:
        super().__init__()
        self.of_training = Accuracy(task="multiclass", num_classes=3)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.of_training(self(batch[0]), batch[1])
        self.log("train_acc", self.of_training)
        return super().training_step(batch, batch_idx)


class EndsItsWorker:
    """Loaders that no process can make but the one that trains."""

    def __init__(self) -> None:
        self.trains = os.getpid()

    def __call__(self) -> Any:
        if os.getpid() != self.trains:
            os._exit(3)
        return val_loader()


@pytest.mark.filterwarnings("ignore:validating sequentially from now on:RuntimeWarning")
def test_sequential_validation_takes_over_with_the_same_figures() -> None:
    validation = ParallelValidation(loaders=EndsItsWorker(), on_failure="sequential", retries=0)

    compare(validation, module=LogsMetricsInTraining)

    assert [outcome.status for outcome in validation.outcomes] == ["ok"] * EPOCHS
