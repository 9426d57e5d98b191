"""Steps that run the forward pass once more, with the same result or with another; one that is compiled; and one whose
batches come rearranged."""

import torch

from harness import Aggregate, scenario
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class Plain(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y), batch_size=len(y), on_epoch=True)


class Again(Plain):
    """Args:
    noise: added to what the second pass is given.
    shown: which pass is reported.
    """

    def __init__(self, data, noise, shown):
        super().__init__(data.features, data.classes)
        self.noise, self.shown = noise, shown
        self.first = torch.nn.Identity()

    def validation_step(self, batch, batch_idx):
        x, y = batch
        passes = self.first(self(x)), self(x + self.noise)
        self.log("val_loss", self.loss_fn(passes[self.shown], y), batch_size=len(y), on_epoch=True)


class Rearranged(Plain):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        x, y = batch
        return {"label": y, "in": {"pixels": x}}

    def training_step(self, batch, batch_idx):
        return self.loss_fn(self(batch["in"]["pixels"]), batch["label"])

    def validation_step(self, batch, batch_idx):
        super().validation_step((batch["in"]["pixels"], batch["label"]), batch_idx)


def keras_again(data, noise, shown, **compiled):
    import keras

    class Model(keras.Model):
        def test_step(self, data):
            x, y = data
            passes = self(x, training=False), self(x + noise, training=False)
            loss = self.compute_loss(y=y, y_pred=passes[shown])
            self._loss_tracker.update_state(loss, sample_weight=keras.ops.shape(x)[0])
            return {"loss": self._loss_tracker.result()}

    inputs = keras.Input((data.features,))
    model = Model(inputs, keras.layers.Dense(data.classes)(inputs))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **compiled)
    return model


def declare(pattern, module, **given):
    scenario(
        pattern=f"forward_passes/{pattern}", variant="control", module=module, workloads="short/digits",
        aggregates=[Aggregate("val_loss", of=cross_entropy, stage="validation")], **given,
    )  # fmt: skip


for shown, name in enumerate(("first", "second")):
    declare(f"{name}_of_two", lambda data, shown=shown: Again(data, 1.0, shown))
    declare(f"keras_{name}_of_two", lambda data, shown=shown: keras_again(data, 1.0, shown), framework="keras")
declare("the_same_twice", lambda data: Again(data, 0.0, 0))
declare("named", lambda data: Again(data, 1.0, 0), predictions_from="first")
declare("keras_the_same_twice", lambda data: keras_again(data, 0.0, 0), framework="keras")
for name, compiled in (("eagerly", {"run_eagerly": True}), ("two_at_once", {"steps_per_execution": 2})):
    declare(f"keras_{name}", lambda data, given=compiled: keras_again(data, 1.0, 0, **given), framework="keras")
declare("rearranged", lambda data: Rearranged(data.features, data.classes))
declare(
    "compiled", lambda data: torch.compile(Plain(data.features, data.classes), backend="eager"),
    needs="pytorch_lightning>=2.0",
)  # fmt: skip
