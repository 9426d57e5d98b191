"""Trains twice, the second time using a deep copy, an unpickled copy and a fork of the module after every epoch, and
copies of the Trainer before, and prints what was recorded of both, as JSON. In a process of its own, as
`recording_witness` is."""

import json
import logging
import os
import pickle
import sys
import tempfile
import warnings
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch

from harness.frameworks import lightning
from harness.frameworks.lightning_package import pl
from harness.history import reader
from harness.history.recorder import Recorder
from harness.workloads import library
from scenarios.parallel_validation.network import copied, validated
from scenarios.parallel_validation.sequential import reference, without_validation

USED = []
TRAINED = []


class UsesCopies(pl.Callback):
    def __init__(self, loader):
        self.loader = loader

    def on_train_epoch_end(self, trainer, pl_module):
        self.use("deep copy", copied(pl_module))
        trainer_of, pl_module._trainer = pl_module._trainer, None  # 1.9 would pickle it too
        pickled = pickle.dumps(pl_module)
        pl_module._trainer = trainer_of
        self.use("pickled", pickle.loads(pickled))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                validated(pl_module, self.loader)
                status = 0
            finally:
                os._exit(status)
        USED.append(("fork", os.waitpid(child, 0)[1], []))

    def use(self, what, copy):
        own = [name for name in ("training_step", "validation_step", "log") if name in vars(copy)]
        overridden = [name for name in own if vars(copy)[name].__func__ is not getattr(type(copy), name)]
        USED.append((what, validated(copy, self.loader)["val_loss"], overridden if what == "pickled" else []))


def with_copies(fit):
    callback = UsesCopies(fit.val_loader(generator=torch.Generator()))
    trainer = fit.trainer(callbacks=[callback])
    trainer.callbacks.remove(callback)
    for copy in (deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        with torch.random.fork_rng():
            copy.fit(fit.new_module(), fit.train_loader())
        TRAINED.append(copy.global_step)
    trainer.callbacks.append(callback)
    trainer.fit(fit.module, fit.train_loader())


def recorded(scenario, path):
    recorder = Recorder(path)
    lightning.run(scenario, library.build("short/digits", 0), "cpu", 0, recorder)
    own = [each for each in reader.read(path).operations if "UsesCopies" not in each.f and each.f != "plan"]
    told = [each for each in own if each.f not in ("counters", "warning")]  # the copies are warned first
    return [[each.f, each.type, each.stage, each.epoch, each.batch, each.value] for each in told]


def main():
    warnings.simplefilter("ignore")
    logging.disable()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        plain = recorded(replace(reference, fit=without_validation), Path(folder, "plain"))
        used = recorded(replace(reference, fit=with_copies), Path(folder, "used"))
        sequential = recorded(reference, Path(folder, "validated"))
    told = [value["metrics"] for f, *_, value in sequential if f == "logger"]
    figures = [metrics["val_loss"] for metrics in told if "val_loss" in metrics]
    json.dump({"plain": plain, "used": used, "copies": USED, "figures": figures, "trained": TRAINED}, sys.stdout)


if __name__ == "__main__":
    main()
