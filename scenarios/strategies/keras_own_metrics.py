"""Metric objects of one's own in a `train_step`, and what becomes of one that `model.metrics` does not list.

Keras resets what `metrics` lists when an epoch begins. It finds metric objects by itself; the guide's example
overrides the property, and then it is easy to forget one.
"""

from harness import Aggregate, Expect, scenario
from harness.oracle.across import share_of_a_replica
from harness.oracle.predictions import all_epochs_so_far, mean_of_batch_means, over_the_epoch, weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.strategies.figures import OF_ANY_SAMPLES


def model(data, weighted=False, all_listed=True):
    import keras
    import tensorflow as tf

    class CustomModel(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.loss_fn(y, y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            self.loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0] if weighted else None)
            self.accuracy.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "accuracy": self.accuracy.result()}

        def test_step(self, data):
            x, y = data
            loss = self.loss_fn(y, self(x, training=False))
            self.loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0] if weighted else None)
            return {"loss": self.loss_tracker.result()}

        @property
        def metrics(self):
            return [self.loss_tracker, self.accuracy] if all_listed else [self.loss_tracker]

    inputs = keras.Input((data.features,))
    hidden = keras.layers.Dense(32, "relu")(inputs)
    model = CustomModel(inputs, keras.layers.Dense(data.classes)(hidden))
    model.compile("adam")
    return model


def declare(variant, arithmetic, of_accuracy=over_the_epoch, expects=(), **options):
    # Where replicas share a batch: what `fit` reports of a step that does not return just what `metrics` lists.
    of_loss = share_of_a_replica(arithmetic)
    across = "samples" if options.get("all_listed", True) else "ranks"
    scenario(
        pattern="strategies/keras_own_metrics", variant=variant, framework="keras", workloads=OF_ANY_SAMPLES,
        source="Keras guide: Customizing what happens in fit() with TensorFlow, going lower-level",
        module=lambda data: model(data, **options), expects=expects,
        aggregates=[
            Aggregate("loss", of=cross_entropy, stage="train", predicts=of_loss, across=across),
            Aggregate("accuracy", of=accuracy, stage="train", predicts=of_accuracy, across=across),
            Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=of_loss, across="ranks"),
        ],
    )  # fmt: skip


declare("as_documented", mean_of_batch_means)
declare("recommended", weighted_by_batch_size, weighted=True)
declare(
    "control", mean_of_batch_means, all_epochs_so_far, all_listed=False,
    expects=[Expect("violated", aggregate="accuracy (train)", checker="metric_state")],
)  # fmt: skip
