"""A training loop of one's own, without a framework: what the others are held against."""

import torch
from torch import nn

from harness import Aggregate, Expect, scenario
from harness.oracle.predictions import weighted_by_batch_size
from harness.oracle.quantities import cross_entropy, mean_of_outputs
from scenarios.strategies.figures import OF_ANY_SAMPLES, exact, figures, strategy


class PlainLoop(nn.Module):
    """Sums over samples, where the batch is, in float64; each is divided by the number of samples at the end."""

    def __init__(self, features, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x):
        return self.net(x)

    def fit(self, train, validation, epochs, report):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.001)
        for _ in range(epochs):
            trained = self.epoch("train", train, optimizer)
            with torch.no_grad():
                validated = self.epoch("val", validation)
            report(trained | validated)

    def epoch(self, prefix, batches, optimizer=None):
        device = next(self.parameters()).device
        self.train(optimizer is not None)
        loss_sum, hits, samples = torch.zeros((), dtype=torch.float64, device=device), 0, 0
        for x, y in batches:
            x, y = x.to(device), y.to(device)
            y_hat = self(x)
            losses = nn.functional.cross_entropy(y_hat, y, reduction="none")
            if optimizer is not None:
                optimizer.zero_grad()
                losses.mean().backward()
                optimizer.step()
            loss_sum += losses.detach().double().sum()
            hits += (y_hat.argmax(dim=1) == y).sum()
            samples += len(y)
        return {f"{prefix}_loss": loss_sum / samples, f"{prefix}_acc": hits / samples}


class BareLoop(PlainLoop):
    """What costs are measured against: it trains, and reports nothing."""

    def fit(self, train, validation, epochs, report):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.001)
        device = next(self.parameters()).device
        for _ in range(epochs):
            for x, y in train:
                x, y = x.to(device), y.to(device)
                optimizer.zero_grad()
                nn.functional.cross_entropy(self(x), y).backward()
                optimizer.step()
            report({})


class Summed(nn.Module):
    """Learns nothing: the mean of the values of very many batches, from a sum in float32 and one in float64."""

    def __init__(self, features):
        super().__init__()
        self.net = nn.Linear(features, 1, bias=False)
        nn.init.ones_(self.net.weight)

    def forward(self, x):
        return self.net(x)

    @torch.no_grad()
    def fit(self, train, validation, epochs, report):
        for _ in range(epochs):
            sums = [torch.zeros((), dtype=dtype) for dtype in (torch.float32, torch.float64)]
            for _ in train:
                pass
            for x, _ in validation:
                value = self(x).mean().cpu()
                for total in sums:
                    total += value
            report({name: total / len(validation) for name, total in zip(("single", "double"), sums, strict=True)})


strategy(
    "plain_loop", "control", PlainLoop, figures(loss=exact, acc=exact), framework="torch",
    workloads=[*OF_ANY_SAMPLES, "adversarial/float64"],
)  # fmt: skip
scenario(
    pattern="strategies/plain_bare_loop", variant="control", framework="torch",
    module=lambda data: BareLoop(data.features, data.classes),
    aggregates=[Aggregate("train_loss", of=cross_entropy, stage="train", predicts=weighted_by_batch_size)],
    expects=[Expect("missing", checker="aggregate"), Expect("violated", checker="samples", aggregate="validation")],
)  # fmt: skip
scenario(
    pattern="strategies/plain_sums", variant="control", framework="torch",
    module=lambda data: Summed(data.features), workloads="adversarial/very_many_batches",
    aggregates=[Aggregate(name, of=mean_of_outputs, stage="validation") for name in ("single", "double")],
    expects=[Expect("violated", checker="training")],
)  # fmt: skip
