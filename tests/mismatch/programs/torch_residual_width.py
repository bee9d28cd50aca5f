"""A residual block that widens and halves has no projection on its shortcut."""

import torch
from torch import nn

LAYER = "add"
CAUSE = "features"
FIX = 'nn.LazyConv2d(128, 1, stride=2)(identity) before "add"'
REPAIR = ("identity = x", "identity = nn.LazyConv2d(128, 1, stride=2)(x)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(128, 128, 3, padding=1)

    def forward(self, x):
        identity = x
        x = torch.relu(self.conv1(x))
        return torch.relu(self.conv2(x) + identity)


Net()(torch.randn(2, 64, 56, 40))
