"""A `train_step` of one's own around the metrics that `compile` made.

The guide's first example hands the loss of a batch to the loss metric, and not how many samples it is the mean of. It
returns metrics under names that are not all those of metrics: where replicas share a batch, `fit` reports the mean over
them of what each has, and the loss is that which `compute_loss` makes for a sum over replicas.
"""

from harness import Aggregate, scenario
from harness.oracle.across import share_of_a_replica
from harness.oracle.predictions import mean_of_batch_means, weighted_by_batch_size
from harness.oracle.quantities import accuracy, cross_entropy
from scenarios.strategies.figures import OF_ANY_SAMPLES


def model(data, weighted):
    import keras
    import tensorflow as tf

    class CustomModel(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return self.updated(x, y, y_pred, loss)

        def test_step(self, data):
            x, y = data
            y_pred = self(x, training=False)
            return self.updated(x, y, y_pred, self.compute_loss(y=y, y_pred=y_pred))

        def updated(self, x, y, y_pred, loss):
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss, sample_weight=tf.shape(x)[0] if weighted else None)
                else:
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    inputs = keras.Input((data.features,))
    hidden = keras.layers.Dense(32, "relu")(inputs)
    model = CustomModel(inputs, keras.layers.Dense(data.classes)(hidden))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def declare(variant, weighted, arithmetic):
    of_loss = {"predicts": share_of_a_replica(arithmetic), "across": "ranks"}
    scenario(
        pattern="strategies/keras_custom_step", variant=variant, framework="keras", workloads=OF_ANY_SAMPLES,
        source="Keras guide: Customizing what happens in fit() with TensorFlow, first example",
        module=lambda data: model(data, weighted),
        aggregates=[
            Aggregate("loss", of=cross_entropy, stage="train", **of_loss),
            Aggregate("accuracy", of=accuracy, stage="train", across="ranks"),
            Aggregate("val_loss", of=cross_entropy, stage="validation", **of_loss),
            Aggregate("val_accuracy", of=accuracy, stage="validation", across="ranks"),
        ],
    )  # fmt: skip


declare("as_documented", weighted=False, arithmetic=mean_of_batch_means)
declare("recommended", weighted=True, arithmetic=weighted_by_batch_size)
