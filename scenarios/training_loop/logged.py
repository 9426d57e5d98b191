"""What most of these scenarios train: the loss of both stages, logged in the most ordinary way, which is exact."""

from harness import Aggregate, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier

TRAIN_LOSS = Aggregate("train_loss", of=cross_entropy, stage="train", predicts=weighted_by_batch_size)
VAL_LOSS = Aggregate("val_loss", of=cross_entropy, stage="validation", predicts=weighted_by_batch_size)
FIGURES = [TRAIN_LOSS, VAL_LOSS]
SHORT = "short/two_epochs"


class Logged(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y))


def declare(name, module=Logged, variant="recommended", **more):
    return scenario(
        pattern=f"training_loop/{name}", variant=variant, module=lambda data: module(data.features, data.classes),
        **{"aggregates": FIGURES, "workloads": SHORT, **more},
    )  # fmt: skip
