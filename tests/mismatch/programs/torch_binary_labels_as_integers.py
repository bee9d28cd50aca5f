"""A binary loss gets its labels as whole numbers."""

import torch
from torch import nn

LAYER = "binary_cross_entropy"
CAUSE = "dtype"
FIX = "pass y.float()"
REPAIR = ("(model(x), y)", "(model(x), y.float())")

model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())


def step():
    x, y = torch.randn(20, 13), torch.randint(0, 2, (20, 1))
    loss = nn.BCELoss()(model(x), y)
    loss.backward()


step()
