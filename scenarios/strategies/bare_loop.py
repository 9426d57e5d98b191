"""What costs are measured against: training that reports nothing, and one figure logged with `on_epoch=True`."""

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class BareLoop(Classifier):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_fn(self(x), y)


class Logged(BareLoop):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


def declare(pattern, module, **more):
    scenario(
        pattern=f"strategies/{pattern}", variant="control",
        module=lambda data: module(data.features, data.classes),
        aggregates=[
            Aggregate(
                "train_loss", of=cross_entropy, stage="train", predicts=weighted_by_batch_size, across="rank_zero"
            )
        ],
        **more,
    )  # fmt: skip


declare("bare_loop", BareLoop, expects=[Expect("missing", checker="aggregate")])
declare("log_on_epoch", Logged)
