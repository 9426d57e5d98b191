"""A process for every epoch, forked from a server that has imported what it needs, and nothing of training's threads or
GPU. The server is warm before training begins, for which it waits."""

import multiprocessing

from scenarios.parallel_validation.network import declare
from scenarios.parallel_validation.process_per_epoch import ProcessPerEpoch


def script(fit):
    multiprocessing.set_forkserver_preload([__name__])
    first = multiprocessing.get_context("forkserver").Process(target=int)
    first.start()
    first.join()
    fit.trainer(callbacks=[ProcessPerEpoch(fit, "forkserver")]).fit(fit.module, fit.train_loader())


declare("forkserver_per_epoch", "recommended", script)
