"""Validation in a process beside the training, which follows its checkpoints: Keras's own counterpart of document 003.

Keras 2 had `SidecarEvaluator` for it (`tf.keras.utils` of TensorFlow 2.8 to 2.15, `tf.keras.experimental` before that).
Keras 3, which is `tf.keras` from TensorFlow 2.16 on, has none; nor does it save checkpoints under the name that is
documented for it.
"""

from functools import partial

from harness import Expect, scenario
from scenarios.parallel_validation.keras_models import FIGURES, REFERENCE, WORKLOAD, model

SOURCE = "TensorFlow API: tf.keras.utils.SidecarEvaluator (2.15)"


def evaluator(fit):
    """The program of the evaluator; it would go on for as many epochs as are trained."""
    import tensorflow as tf

    tf.keras.utils.SidecarEvaluator(
        model=fit.new_module(), data=fit.val_loader(), checkpoint_dir="checkpoints", max_evaluations=3
    ).start()


def training(fit):
    """The program of the training, whose checkpoints the evaluator is to find."""
    import tensorflow as tf

    checkpoint = tf.keras.callbacks.ModelCheckpoint("checkpoints/ckpt-{epoch}", save_weights_only=True)
    fit.fit(callbacks=[checkpoint])


def beside(fit):
    from harness.parallel.keras import SidecarValidation

    data = partial(dict, x=fit.val_loader())
    with SidecarValidation(fit.new_module, data, told=[fit.logger()], drain_limit=50.0) as validation:
        fit.fit(callbacks=[validation])


def declare(pattern, variant, fit, expects=(), source=SOURCE):
    scenario(
        pattern=f"parallel_validation/{pattern}", variant=variant, source=source, framework="keras", module=model,
        workloads=WORKLOAD, aggregates=FIGURES, fit=fit, same_as=REFERENCE, expects=expects,
    )  # fmt: skip


declare("keras_sidecar", "as_documented", evaluator, [Expect("raised", exception="AttributeError")])
declare("keras_sidecar_training", "as_documented", training, [Expect("raised", exception="ValueError")])
declare("keras_sidecar", "recommended", beside, source="harness.parallel.keras")
