"""The channels do not divide into that many groups."""

import torch
from torch import nn

LAYER = "norm"
CAUSE = "groups"
FIX = 'num_groups=10 in "norm"'
REPAIR = ("nn.GroupNorm(8, 20)", "nn.GroupNorm(10, 20)")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 20, 3)
        self.norm = nn.GroupNorm(8, 20)

    def forward(self, x):
        return self.norm(self.conv(x))


Block()(torch.randn(2, 3, 9, 11))
