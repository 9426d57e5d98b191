"""Figures of Keras where replicas share every batch (`tf.distribute.MirroredStrategy`): those that `compile` was asked
for, and those of a `train_step` of one's own.

What `compile` makes is exact. In a step of one's own, `compute_loss` gives a replica its share of the sum over
replicas, not a mean; and what a step returns is averaged over replicas, each counting the same, unless it returns just
the names of `model.metrics`: then `fit` asks those metrics, which know of all replicas.
"""

from harness import Aggregate, scenario
from harness.oracle.across import share_of_a_replica
from harness.oracle.predictions import mean_of_batch_means, weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.strategies import keras_compiled, keras_custom_step


def figures(of_loss, of_accuracy):
    return [
        Aggregate(prefix + name, of=quantity, stage=stage, **made)
        for prefix, stage in (("", "train"), ("val_", "validation"))
        for name, quantity, made in (("loss", cross_entropy, of_loss), ("accuracy", accuracy, of_accuracy))
    ]


def own_step(data):
    """Losses of samples go into a metric one by one, so that nothing need be undone."""
    import keras
    import tensorflow as tf

    class OwnStep(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                losses = self.loss_fn(y, y_pred)
                loss = tf.nn.compute_average_loss(losses)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return self.updated(y, y_pred, losses)

        def test_step(self, data):
            x, y = data
            y_pred = self(x, training=False)
            return self.updated(y, y_pred, self.loss_fn(y, y_pred))

        def updated(self, y, y_pred, losses):
            self.loss_tracker.update_state(losses)
            self.accuracy.update_state(y, y_pred)
            return self.get_metrics_result()

    inputs = keras.Input((data.features,))
    hidden = keras.layers.Dense(32, "relu")(inputs)
    model = OwnStep(inputs, keras.layers.Dense(data.classes)(hidden))
    model.compile("adam")
    return model


def declare(pattern, variant, module, of_loss, of_accuracy):
    scenario(
        pattern=f"ranks/{pattern}", variant=variant, framework="keras", module=module, ranks=2,
        workloads=["ranks/even", "ranks/ragged", "digits/train=*"], aggregates=figures(of_loss, of_accuracy),
    )  # fmt: skip


declare("keras_compiled", "as_documented", keras_compiled.model, {"predicts": weighted_by_batch_size}, {})
declare(
    "keras_own_step", "as_documented", lambda data: keras_custom_step.model(data, weighted=False),
    {"predicts": share_of_a_replica(mean_of_batch_means), "across": "ranks"}, {"across": "ranks"},
)  # fmt: skip
declare("keras_own_step", "recommended", own_step, {}, {})
