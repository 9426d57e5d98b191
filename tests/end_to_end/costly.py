"""Modules of which it is known by construction what they cost over the bare loop."""

from harness import Aggregate, quantities, scenario
from scenarios.strategies.bare_loop import BareLoop


class RunningSum(BareLoop):
    def on_train_epoch_start(self):
        self.total, self.samples = 0.0, 0

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.total = self.total + loss.detach() * len(batch[1])
        self.samples += len(batch[1])
        return loss

    def on_train_epoch_end(self):
        self.log("train_loss", self.total / self.samples)


class RunningSumWithItem(RunningSum):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        loss.item()
        return loss


def nothing():
    pass


class RunningSumWithThreeCalls(RunningSum):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        nothing()
        nothing()
        nothing()


class KeptLosses(RunningSum):
    """Keeps the batches' losses, and lets them go when the epoch is over."""

    def keep(self, loss):
        return loss.detach()

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.losses = []

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.losses.append(self.keep(loss))
        return loss

    def on_train_epoch_end(self):
        super().on_train_epoch_end()
        self.losses = []


class KeptGraphs(KeptLosses):
    def keep(self, loss):
        """That of a forward pass which nobody differentiates: the loss's own is emptied by its backward pass."""
        return self(self.net[0].weight.new_ones(32, self.net[0].in_features)).sum()


class KeptNumbers(KeptLosses):
    def keep(self, loss):
        return loss.item()


class NeverFreed(KeptLosses):
    def on_train_epoch_start(self):
        if not hasattr(self, "losses"):
            self.losses = []
        self.total, self.samples = 0.0, 0

    def on_train_epoch_end(self):
        RunningSum.on_train_epoch_end(self)


for module in (
    RunningSum, RunningSumWithItem, RunningSumWithThreeCalls, KeptLosses, KeptGraphs, KeptNumbers, NeverFreed,
):  # fmt: skip
    scenario(
        pattern=f"costly/{module.__name__}", variant="migrated",
        module=lambda data, module=module: module(data.features, data.classes),
        aggregates=[Aggregate("train_loss", of=quantities.cross_entropy, stage="train")], workloads="digits/even",
    )  # fmt: skip
