"""A cross-entropy gets its class numbers as floats."""

import torch
from torch import nn

LAYER = "cross_entropy"
CAUSE = "dtype"
FIX = "pass y.long()"
REPAIR = ("(model(x), y)", "(model(x), y.long())")

model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))


def step():
    x, y = torch.randn(20, 13), torch.randint(0, 3, (20,)).float()
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()


step()
