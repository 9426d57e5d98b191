"""One process that validates all epochs, each while the next one trains: `ParallelValidation`, as it comes."""

import torch

from harness.parallel import ParallelValidation
from scenarios.parallel_validation.network import declare


def script(fit):
    loader = fit.val_loader(generator=torch.Generator())
    fit.trainer(callbacks=[ParallelValidation()]).fit(fit.module, fit.train_loader(), loader)


declare("persistent_worker", "recommended", script)
