"""Lightning's own way: an epoch of training, then its validation.

Whoever iterates over a DataLoader draws a number from a random generator: by default from that of the whole process, on
which training depends too, by dropout for example. Then validation changes training (Lightning issue 16827).
"""

import torch

from harness import Aggregate, Expect
from harness.oracle.quantities import cross_entropy
from scenarios.parallel_validation.network import FEWER, FIGURES, WORKLOADS, declare


def isolated(fit):
    fit.trainer().fit(fit.module, fit.train_loader(), fit.val_loader(generator=torch.Generator()))


def by_default(fit):
    fit.trainer().fit(fit.module, fit.train_loader(), fit.val_loader())


def without_validation(fit):
    fit.trainer().fit(fit.module, fit.train_loader())


reference = declare("sequential", "recommended", isolated, same_as="", workloads=[WORKLOADS, FEWER])
declare(
    "default_loader", "control", by_default, aggregates=FIGURES[:1], expects=[Expect("violated", checker="same_as")]
)  # fmt: skip
declare(
    "no_validation", "control", without_validation,
    aggregates=[Aggregate("train_loss", of=cross_entropy, stage="train")],
)  # fmt: skip
