"""Two processes that validate, for when an epoch takes longer to validate than to train."""

import torch

from harness.parallel import ParallelValidation
from scenarios.parallel_validation.network import declare


def script(fit):
    loader = fit.val_loader(generator=torch.Generator())
    fit.trainer(callbacks=[ParallelValidation(workers=2)]).fit(fit.module, fit.train_loader(), loader)


declare("two_workers", "recommended", script)
