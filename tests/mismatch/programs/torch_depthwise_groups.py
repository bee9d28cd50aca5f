"""A depthwise convolution takes its groups from its outputs."""

import torch
from torch import nn

LAYER = "depthwise"
CAUSE = "groups"
FIX = 'groups=32 in "depthwise"'
REPAIR = ("padding=1, groups=64", "padding=1, groups=32")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        self.depthwise = nn.Conv2d(32, 64, 3, padding=1, groups=64)

    def forward(self, x):
        return self.depthwise(self.stem(x))


Net()(torch.randn(2, 3, 30, 40))
