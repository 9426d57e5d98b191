"""What a scenario may ask for of a Trainer, or read a figure in, without anything of that being told as a defect."""

from harness import Aggregate, scenario
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class Shown(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self(x), y), prog_bar=True)


def declare(name, reported_in="logger", **more):
    scenario(
        pattern=f"asked_for/{name}", variant="control", workloads="digits/ragged",
        module=lambda data: Shown(data.features, data.classes),
        aggregates=[Aggregate("val_loss", of=cross_entropy, stage="validation", reported_in=reported_in)], **more,
    )  # fmt: skip


declare("progress_bar", reported_in="progress_bar")
declare("precision_mixed", trainer={"precision": "bf16"})  # which Lightning 2 takes for bf16-mixed
declare("precision_double", trainer={"precision": 64})
