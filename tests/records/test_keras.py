"""Which epochs Keras completes, and what is recorded of them."""

import math
import os
import warnings

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is not installed here")
BATCHES, VALIDATION_BATCHES = 3, 2
SAMPLES = np.linspace(0, 1, 2 * BATCHES, dtype="float32").reshape(-1, 1)
VALIDATION = SAMPLES[: 2 * VALIDATION_BATCHES]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    """Where people train; and Keras warns of data that runs dry."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def made():
    from harness.records.keras import EpochRecords

    return EpochRecords("epochs.jsonl", checkpoint="last.ckpt")


def new_model(units=1):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.5), keras.layers.Dense(units)])
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    return model


def at(hook, epoch, batch, do):
    """A callback that does this in that hook; validation has epochs too."""

    class At(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    def called(self, number, logs=None):
        if (self.epoch, number) == (epoch, batch):
            do(self.model)

    setattr(At, hook, called)
    return At()


def fit(callbacks=(), samples=SAMPLES, validation=VALIDATION, model=None, resume=False, **arguments):
    """Train three epochs; the model."""
    model = new_model() if model is None else model
    records = made()
    targets = {"y": samples} if isinstance(samples, np.ndarray) else {}
    model.fit(
        samples,
        **targets,
        **{"epochs": 3, "batch_size": 2 if targets else None, **arguments},
        validation_data=(validation, validation) if isinstance(validation, np.ndarray) else validation,
        validation_batch_size=2,
        initial_epoch=records.resume_from(model) if resume else 0,
        shuffle=False,
        verbose=0,
        callbacks=[*callbacks, records],
    )
    return model


def read():
    return made().file.read()


def recorded():
    return [record["epoch"] for record in read()]


def done():
    with np.load("last.ckpt") as saved:
        return int(saved["epochs"])


def batches(number):
    """A generator of so many batches, over all epochs."""
    for _ in range(number):
        yield SAMPLES[:2], SAMPLES[:2]


def stop(model):
    model.stop_training = True


def stop_validating(model):
    model.stop_evaluating = True


def fail(model):
    raise RuntimeError("the user's own")


def test_what_is_recorded():
    model = fit()
    history = model.history.history
    assert read() == [
        {
            "epoch": epoch,
            "global_step": BATCHES * (epoch + 1),
            "metrics": {name: values[epoch] for name, values in history.items()},
        }
        for epoch in range(3)
    ]
    assert set(history) == {"loss", "val_loss"}


@pytest.mark.parametrize(
    ("callback", "epochs"),
    [
        (at("on_train_batch_end", 1, 0, stop), [0]),
        (at("on_train_batch_end", 1, BATCHES - 1, stop), [0, 1]),
        (at("on_test_batch_end", 1, 0, stop), [0, 1]),
        (at("on_test_batch_end", 1, 0, stop_validating), [0, 2]),
    ],
    ids=["stopped in mid-epoch", "stopped in the last batch", "stopped in validation", "validation stopped"],
)
def test_an_epoch_that_is_cut_short_is_not_complete(callback, epochs):
    fit([callback])
    assert recorded() == epochs
    assert done() == epochs[-1] + 1


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_test_batch_end"])
def test_an_exception_is_the_users_own_and_ends_an_epoch_without_record(hook):
    with pytest.raises(RuntimeError, match=r"^the user's own$"):
        fit([at(hook, 1, 1, fail)])
    assert recorded() == [0]


@pytest.mark.parametrize(("refused", "epochs"), [("epochs.jsonl", [0]), ("last.ckpt", [0, 1])])
def test_what_cannot_be_written_is_an_error_of_fit(refused, epochs):
    with pytest.raises(OSError, match="Is a directory"):
        fit([at("on_test_batch_end", 1, 0, lambda _: os.mkdir(f".unfinished.{refused}"))])
    assert recorded() == epochs
    assert done() == 1


def test_a_generator_that_runs_dry():
    fit(samples=batches(2 * BATCHES - 1), steps_per_epoch=BATCHES)
    assert recorded() == [0]


def test_a_validation_generator_that_runs_dry():
    # The two batches that Keras looks at in advance it gives again in every pass: it takes a third to run dry.
    fit(validation=batches(3), validation_steps=3)
    assert recorded() == [0]


def test_data_without_a_length_is_complete_when_it_ends():
    fit(samples=without_length(), validation=without_length())
    assert recorded() == [0, 1, 2]


def test_data_without_a_length_may_be_stopped():
    fit([at("on_train_batch_end", 1, 1, stop)], samples=without_length())
    assert recorded() == [0]


def without_length():
    import tensorflow as tf

    samples = tf.data.Dataset.from_tensor_slices((SAMPLES, SAMPLES)).batch(2)
    return samples.filter(lambda *_: True)


def test_without_validation():
    fit(validation=None)
    assert recorded() == [0, 1, 2]


def test_validation_every_other_epoch():
    fit(validation_freq=2)
    assert recorded() == [0, 1, 2]


def test_several_steps_per_execution():
    model = new_model()
    model.compile(optimizer="adam", loss="mse", steps_per_execution=2)
    fit(model=model)
    assert recorded() == [0, 1, 2]


def test_nan_is_recorded():
    fit([at("on_train_batch_begin", 0, 0, lambda model: model.layers[-1].kernel.assign([[math.nan]]))], epochs=1)
    assert math.isnan(read()[0]["metrics"]["loss"])


def test_training_from_the_start_removes_the_records_of_another():
    fit()
    with pytest.raises(RuntimeError, match="the user's own"):
        fit([at("on_train_batch_end", 0, 0, fail)])
    assert recorded() == []


def test_there_is_nothing_to_resume_from_at_first():
    assert made().resume_from(new_model()) == 0


def test_resuming_trains_the_epochs_that_are_missing_and_nothing_else():
    fit()
    whole = read()
    fit(epochs=1)
    fit(resume=True)
    assert read() == whole


def test_resuming_what_is_through_changes_nothing():
    fit()
    before = read()
    fit(resume=True)
    assert read() == before


@pytest.fixture(params=["bfloat16", "float16"])
def other_dtype(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("other_dtype")
def test_variables_of_other_types_come_back():
    model = fit(epochs=1, validation=None)
    other = new_model()
    made().resume_from(other)
    for variable, restored in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(variable.numpy(), "float32"), np.asarray(restored.numpy(), "float32"))


def test_a_checkpoint_of_another_model_is_refused():
    fit()
    with pytest.raises(ValueError, match=r"last.ckpt: the model saved there is not of this model"):
        made().resume_from(new_model(units=2))


def test_a_model_must_be_compiled_before_it_is_resumed():
    fit()
    with pytest.raises(ValueError, match="build and compile the model"):
        made().resume_from(keras.Sequential([keras.layers.Dense(1)]))
