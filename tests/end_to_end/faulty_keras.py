"""Keras scenarios as users get them wrong, a fault each, and one that is fine.

Keras asks metrics for their result while it traces a step, and again, not traced, when a training epoch is over.
`# here: NAME` marks the line that a finding about NAME must name.
"""

from threading import Event

from harness import Aggregate, quantities, scenario


def faulty(fault):
    """A model whose metric `acc` is right but for the fault in its result, which is given the epoch."""

    def model(data):
        import keras
        import tensorflow as tf

        class Accuracy(keras.metrics.SparseCategoricalAccuracy):
            def result(self):
                result = super().result()
                if tf.inside_function():
                    return result if fault is not vector else fault(result, 1)
                return fault(result, int(model.optimizer.iterations) // 8 - 1)

        model = keras.Sequential([keras.Input((data.features,)), keras.layers.Dense(data.classes)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=[Accuracy("acc")])
        return model

    return model


def fine(result, epoch):
    return result


def raises(result, epoch):
    if epoch == 2:
        raise ArithmeticError("the metric does not know")  # here: Raises
    return result


def vector(result, epoch):
    import keras

    return keras.ops.repeat(result, 3)


def never_ends(result, epoch):
    if epoch == 1:
        Event().wait()  # here: MetricNeverEnds
    return result


def faulty_step(fault):
    """A model whose compiled training step calls Python, which is given the number of steps so far."""

    def model(data):
        import keras
        import tensorflow as tf

        class Model(keras.Sequential):
            def train_step(self, data):
                tf.numpy_function(fault, [self.optimizer.iterations], [])
                return super().train_step(data)

        model = Model([keras.Input((data.features,)), keras.layers.Dense(data.classes)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        return model

    return model


def step_raises(step):
    if step == 19:
        raise ArithmeticError("the step does not know")  # here: StepRaises


def step_never_ends(step):
    if step == 11:
        Event().wait()  # here: StepNeverEnds


def declare(name, module, figure="acc"):
    scenario(
        pattern=f"keras/{name}", variant="recommended", workloads="digits/even", framework="keras", module=module,
        aggregates=[Aggregate(figure, of=quantities.accuracy, stage="train")],
    )  # fmt: skip


declare("Raises", faulty(raises))
declare("ReportsVector", faulty(vector))
declare("ReportsUndeclared", faulty(fine), figure="accuracy")
declare("MetricNeverEnds", faulty(never_ends))
declare("StepRaises", faulty_step(step_raises), figure="accuracy")
declare("StepNeverEnds", faulty_step(step_never_ends), figure="accuracy")
declare("Fine", faulty(fine))
