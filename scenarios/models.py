"""The networks of the documents' examples, without any metric: scenario files add the steps and hooks."""

import torch
from torch import Tensor, nn

from harness.frameworks.lightning_package import pl


class Classifier(pl.LightningModule):
    """Two linear layers and class scores (logits)."""

    loss_fn = staticmethod(nn.functional.cross_entropy)

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.001)


class Regressor(Classifier):
    """The same network with one output."""

    loss_fn = staticmethod(nn.functional.mse_loss)

    def __init__(self, features: int) -> None:
        super().__init__(features, 1)
