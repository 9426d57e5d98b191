"""What runs in Lightning runs recorded: arguments of other names, and a logger that is asked for more than figures."""

from harness import Aggregate, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class AsPeopleWrite(Classifier):
    def training_step(self, data, i):
        x, y = data
        loss = self.loss_fn(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_batch_start(self, data, i):
        self.logger.experiment.add_scalar("batch", i)

    def on_train_epoch_end(self):
        self.loggers[0].log_image(key="nothing", images=[])


scenario(
    pattern="meta/as_people_write", variant="recommended", workloads="digits/single_batch",
    module=lambda data: AsPeopleWrite(data.features, data.classes),
    aggregates=[Aggregate("train_loss", of=cross_entropy, stage="train", predicts=weighted_by_batch_size)],
)  # fmt: skip
