"""Keras models of which it is known by construction what they cost over `Plain`.

Python runs in each step of an eager model, and in a compiled one while it is traced.
"""

from harness import Aggregate, quantities, scenario


def model(extra, **options):
    def make(data):
        import keras
        import tensorflow as tf

        class Model(keras.Model):
            def train_step(self, data):
                x, y = data
                with tf.GradientTape() as tape:
                    loss = self.compute_loss(y=y, y_pred=self(x, training=True))
                gradients = tape.gradient(loss, self.trainable_variables)
                self.optimizer.apply(gradients, self.trainable_variables)
                extra(self, loss)
                return {"loss": loss}

        inputs = keras.Input((data.features,))
        model = Model(inputs, keras.layers.Dense(data.classes)(inputs))
        model.kept = []
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
        return model

    return make


def nothing(model, loss):
    pass


def item(model, loss):
    float(loss)


def three_calls(model, loss):
    nothing(model, loss)
    nothing(model, loss)
    nothing(model, loss)


def keep(model, loss):
    model.kept.append(loss)


def identity(model, loss):
    import tensorflow as tf

    tf.identity(loss)


def called(model, loss):
    import tensorflow as tf

    tf.function(tf.identity)(loss)


def declare(name, extra, **options):
    scenario(
        pattern=f"costly/{name}", variant="migrated", framework="keras", module=model(extra, **options),
        aggregates=[Aggregate("loss", of=quantities.cross_entropy, stage="train")], workloads="digits/even",
    )  # fmt: skip


declare("Plain", nothing, run_eagerly=True)
declare("Item", item, run_eagerly=True)
declare("ThreeCalls", three_calls, run_eagerly=True)
declare("Kept", keep, run_eagerly=True)
declare("Compiled", nothing)
declare("Identity", identity)
declare("Called", called)
declare("TwoAtOnce", nothing, steps_per_execution=2)
