"""An actor of a Ray cluster validates all epochs, on whichever node: here, on a cluster of its own on this machine."""

from harness.parallel import ParallelValidation
from scenarios.parallel_validation.network import declare


def script(fit):
    validation = ParallelValidation(start_method="ray")
    fit.trainer(callbacks=[validation]).fit(fit.module, fit.train_loader(), fit.val_loader())


declare("ray_actor", "recommended", script, needs="ray>=2.40")
