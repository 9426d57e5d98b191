"""All outputs of the epoch kept in a list, and one figure computed of them at its end: exact, and of O(n) memory."""

import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_auroc, multiclass_f1_score

from harness import Expect
from scenarios.models import Classifier
from scenarios.strategies.figures import exact, figures, strategy


class KeptOutputs(Classifier):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.classes = classes
        self.kept = {"train": [], "val": []}

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_hat = self(x)
        self.kept["train"].append((y_hat.detach(), y))
        return self.loss_fn(y_hat, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.kept["val"].append((self(x), y))

    def on_train_epoch_end(self):
        self.report("train")

    def on_validation_epoch_end(self):
        self.report("val")

    def report(self, prefix):
        y_hat, y = (torch.cat(parts) for parts in zip(*self.kept[prefix], strict=True))
        self.kept[prefix].clear()
        self.log(f"{prefix}_loss", self.loss_fn(y_hat, y))
        self.log(f"{prefix}_acc", multiclass_accuracy(y_hat, y, self.classes, average="micro"))
        self.log(f"{prefix}_f1", multiclass_f1_score(y_hat, y, self.classes))
        self.log(f"{prefix}_auroc", multiclass_auroc(y_hat, y, self.classes))


strategy(
    "kept_outputs", "migrated", KeptOutputs, figures(loss=exact, acc=exact, f1=exact, auroc=exact),
    # The batch with NaN is another rank's.
    expects=[Expect("biased", checker="aggregate", aggregate="val_auroc", workload="adversarial/nan", ranks="[!1]*")],
)  # fmt: skip
