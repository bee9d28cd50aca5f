"""A discriminator of convolutions keeps two axes of one that its labels do not have."""

import torch
from torch import nn

LAYER = "criterion"
CAUSE = "targets"
FIX = 'out.flatten(0) before "criterion"'
REPAIR = ("criterion(out, label)", "criterion(out.flatten(0), label)")

judge = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 8), nn.Sigmoid())
criterion = nn.BCELoss()


def step():
    real = torch.randn(5, 3, 16, 16)
    label = torch.full((5,), 1.0)
    out = judge(real)
    criterion(out, label).backward()


step()
