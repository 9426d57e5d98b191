"""Batches that change their shape, raise, or end too early or never (document 004, example 3)."""

from harness import Aggregate, Expect, scenario
from harness.oracle.quantities import mean_squared_error
from scenarios.epoch_end_reliability.keras_models import (
    EMPTY_EPOCHS,
    FIGURES,
    LENGTHS,
    LOG,
    RELIABLE,
    WRITTEN_TOO_EARLY,
    epoch_log,
    model,
)


def with_a_figure_of_its_own(data):
    """Its training step reports a figure that is no metric's, which Keras therefore neither resets nor computes."""
    import keras

    class Model(keras.Model):
        def train_step(self, batch):
            return {"batch_loss": super().train_step(batch)["loss"]}

    inputs = keras.Input((data.features,))
    model = Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("adam", "mse")
    return model


def declare(variant, faults=("none", "loader.*"), module=model, aggregates=FIGURES, **more):
    scenario(
        pattern="epoch_end_reliability/data_loading", variant=variant, source="document 004, example 3",
        framework="keras", module=module, workloads="short/diabetes", faults=faults, aggregates=aggregates, **more,
    )  # fmt: skip


LOGGED = {"callbacks": lambda: [epoch_log()], "record": LOG}

declare("as_documented", **LOGGED, expects=[*WRITTEN_TOO_EARLY, *EMPTY_EPOCHS])
declare("recommended", **RELIABLE, expects=[*LENGTHS, *EMPTY_EPOCHS])
declare(
    "control", ["none", "loader.empty_epoch"], with_a_figure_of_its_own, **LOGGED,
    aggregates=[Aggregate("batch_loss", of=mean_squared_error, stage="train")],
    expects=[*WRITTEN_TOO_EARLY, *EMPTY_EPOCHS, Expect("wrong", "batch_loss", fault="loader.empty_epoch")],
)  # fmt: skip
