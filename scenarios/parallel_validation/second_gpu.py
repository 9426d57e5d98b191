"""A thread that validates on another GPU than training."""

import torch

from scenarios.parallel_validation.network import declare, validated
from scenarios.parallel_validation.thread import ThreadPerEpoch


class OtherDevicePerEpoch(ThreadPerEpoch):
    def validate(self, module):
        return validated(module, self.loader, device=1)


def script(fit):
    callback = OtherDevicePerEpoch(fit.val_loader(generator=torch.Generator()))
    fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())


declare("second_gpu", "recommended", script, gpus=2)
