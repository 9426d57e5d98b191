"""A `train_step` that returns a batch's loss, and no metric, under the name of the metric that `compile` made.

If a step returns just the names of `model.metrics`, `fit` reports those metrics in place of what was returned, whether
anything ever updated them or not. Under any other name it reports what the last step returned.
"""

from harness import Aggregate, scenario
from harness.oracle.across import share_of_a_replica
from harness.oracle.predictions import last_batch, never_updated, weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.strategies.figures import OF_ANY_SAMPLES


def model(data, name):
    import keras
    import tensorflow as tf

    class CustomModel(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {name: loss}

    inputs = keras.Input((data.features,))
    hidden = keras.layers.Dense(32, "relu")(inputs)
    model = CustomModel(inputs, keras.layers.Dense(data.classes)(hidden))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def declare(variant, name, arithmetic):
    scenario(
        pattern="strategies/keras_returned_loss", variant=variant, framework="keras", workloads=OF_ANY_SAMPLES,
        module=lambda data: model(data, name),
        aggregates=[
            Aggregate(name, of=cross_entropy, stage="train", predicts=arithmetic, across="ranks"),
            Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=weighted_by_batch_size),
        ],
    )  # fmt: skip


declare("migrated", "loss", never_updated)
declare("control", "batch_loss", share_of_a_replica(last_batch))
