"""Loops of one's own of which it is known by construction what they cost over `Loop`."""

import torch
from torch import nn

from harness import Aggregate, quantities, scenario


class Loop(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.net = nn.Linear(features, classes)

    def extra(self, loss):
        pass

    def fit(self, train, validation, epochs, report):
        optimizer = torch.optim.Adam(self.parameters())
        for _ in range(epochs):
            for x, y in train:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.net(x), y)
                loss.backward()
                optimizer.step()
                self.extra(loss.detach())
            for _ in validation:
                self.validate()
            report({})

    def validate(self):
        pass


class WithItem(Loop):
    def extra(self, loss):
        loss.item()


class Kept(Loop):
    def __init__(self, features, classes):
        super().__init__(features, classes)
        self.kept = []

    def extra(self, loss):
        self.kept.append(loss)


class CostlyValidation(Loop):
    def validate(self):
        torch.ones(1000).sum().item()


for module in (Loop, WithItem, Kept, CostlyValidation):
    scenario(
        pattern=f"costly/{module.__name__}", variant="migrated", framework="torch",
        module=lambda data, module=module: module(data.features, data.classes),
        aggregates=[Aggregate("train_loss", of=quantities.cross_entropy, stage="train")], workloads="digits/even",
    )  # fmt: skip
