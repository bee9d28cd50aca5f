"""A loss compares a map of half the size with its target."""

import torch
from torch import nn

LAYER = "l1_loss"
CAUSE = "space"
FIX = 'torch.nn.functional.interpolate(pred, size=(32, 48)) before "l1_loss"'
REPAIR = ("l1_loss(pred, depth)", "l1_loss(nn.functional.interpolate(pred, size=(32, 48)), depth)")

model = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1))


def step():
    x, depth = torch.randn(2, 3, 32, 48), torch.rand(2, 1, 32, 48)
    pred = model(x)
    loss = nn.functional.l1_loss(pred, depth)
    loss.backward()


step()
