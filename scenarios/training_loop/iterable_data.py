"""Data that come one after the other, and of which nobody knows how many there are until they are through."""

from harness import Expect
from scenarios.training_loop.logged import declare


def trains(fit):
    fit.trainer().fit(fit.module, fit.train_loader(stream=True), fit.val_loader())


def both(fit):
    fit.trainer().fit(fit.module, fit.train_loader(stream=True), fit.val_loader(stream=True))


declare("iterable_training", fit=trains)
declare("iterable_both", fit=both)
declare("iterable_validated_after_batches", fit=both, workloads="short/two_validations")
# A fraction of what? `val_check_interval` has to be in batches.
declare(
    "iterable_validated_after_a_fraction", variant="control", fit=both, workloads="short/fraction",
    expects=[Expect("raised", exception="MisconfigurationException")],
)  # fmt: skip
