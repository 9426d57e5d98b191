"""Labels of another shape than the model's outputs (document 004, example 2).

What is recommended is a loss that refuses them, and a record that no failure loses.
"""

from harness import scenario
from scenarios.epoch_end_reliability.keras_models import FIGURES, LABELS, LOG, RELIABLE, epoch_log, model


def of_one_shape(labels, outputs):
    """The mean squared error; labels of another shape than the outputs are refused."""
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(labels), tf.shape(outputs))]):
        return tf.reduce_mean(tf.square(labels - outputs), axis=-1)


def declare(variant, **more):
    scenario(
        pattern="epoch_end_reliability/error_handling", variant=variant, source="document 004, example 2",
        framework="keras", workloads="short/diabetes", faults=["none", "step.labels_*", "step.exception*"],
        aggregates=FIGURES, **more,
    )  # fmt: skip


declare("as_documented", module=model, callbacks=lambda: [epoch_log()], record=LOG, expects=LABELS)
declare(
    "recommended", module=lambda data: model(data, of_one_shape),
    refuses={"step.labels_broadcast": "InvalidArgumentError"}, **RELIABLE,
)  # fmt: skip
