"""The normalization has another width than the convolution before it."""

import torch
from torch import nn

LAYER = "bn"
CAUSE = "features"
FIX = 'num_features=32 in "bn"'
REPAIR = ("nn.BatchNorm2d(64)", "nn.BatchNorm2d(32)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3)
        self.bn = nn.BatchNorm2d(64)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


Net()(torch.randn(2, 3, 40, 50))
