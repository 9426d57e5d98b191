"""A thread that validates on the GPU that training is on, in a stream of its own."""

import torch

from scenarios.parallel_validation.network import declare, validated
from scenarios.parallel_validation.thread import ThreadPerEpoch


class StreamPerEpoch(ThreadPerEpoch):
    def validate(self, module):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.default_stream())  # in which the module was copied
        with torch.cuda.stream(stream):
            return validated(module, self.loader)


def script(fit):
    callback = StreamPerEpoch(fit.val_loader(generator=torch.Generator()))
    fit.trainer(callbacks=[callback]).fit(fit.module, fit.train_loader())


declare("cuda_stream", "recommended", script, gpus=1)
