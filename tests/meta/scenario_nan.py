"""A model that gives NaN for one validation batch: the epoch's loss is NaN, and has to be reported as that."""

from harness import Aggregate, scenario
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class NanInOneBatch(Classifier):
    def forward(self, x, broken=False):
        logits = super().forward(x)
        return logits * float("nan") if broken else logits

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self(x, broken=batch_idx == 1), y)
        self.log("val_loss", loss)


scenario(
    pattern="meta/nan_in_one_batch", variant="recommended", workloads="digits/ragged",
    module=lambda data: NanInOneBatch(data.features, data.classes),
    aggregates=[Aggregate("val_loss", of=cross_entropy, stage="validation")],
)  # fmt: skip
