"""A process for every epoch, started afresh (document 003): as documented, mended so that it runs, and put right."""

from harness import Expect
from scenarios.parallel_validation.document import Data, ParallelValidationCallback
from scenarios.parallel_validation.network import FEWER, FIGURES, declare, without_validation_step
from scenarios.parallel_validation.process_per_epoch import ProcessPerEpoch


def as_documented(fit):
    data = Data(fit)
    callback = ParallelValidationCallback(fit, data.val_dataloader())
    fit.trainer(callbacks=[callback]).fit(fit.module, data_module=data)


def after_setup(fit):
    data = Data(fit)
    data.setup()
    callback = ParallelValidationCallback(fit, data.val_dataloader())
    fit.trainer(callbacks=[callback]).fit(fit.module, data_module=data)


def migrated(fit):
    data = Data(fit)
    data.setup()
    callback = ParallelValidationCallback(fit, data.val_dataloader())
    fit.trainer(callbacks=[callback]).fit(fit.module, datamodule=data)


def recommended(fit):
    fit.trainer(callbacks=[ProcessPerEpoch(fit, "spawn")]).fit(fit.module, fit.train_loader())


OF_DOCUMENT = {"module": without_validation_step, "aggregates": FIGURES[:2]}

declare(
    "spawned_process", "as_documented", as_documented, **OF_DOCUMENT,
    expects=[Expect("raised", checker="aggregate", exception="AttributeError")],
)  # fmt: skip
declare(
    "spawned_process_after_setup", "as_documented", after_setup, **OF_DOCUMENT,
    expects=[Expect("raised", checker="aggregate", exception="TypeError")],
)  # fmt: skip
# All epochs' figures are told at the end, of no epoch and no step, and as they come; the accuracy is made up.
TOLD_AT_THE_END = [Expect("wrong", checker="aggregate"), Expect("ok", "weights", "same_as")]
declare(
    "spawned_process", "migrated", migrated, **OF_DOCUMENT, workloads=FEWER,
    expects=[*TOLD_AT_THE_END, Expect("violated", checker="same_as")],
)  # fmt: skip
declare("spawned_process", "recommended", recommended, workloads=FEWER)
