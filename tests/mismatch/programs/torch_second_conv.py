"""The second convolution was copied from another network."""

import torch
from torch import nn

LAYER = "conv2"
CAUSE = "channels"
FIX = 'in_channels=16 in "conv2"'
REPAIR = ("nn.Conv2d(32, 64, 3)", "nn.Conv2d(16, 64, 3)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))


Net()(torch.randn(2, 3, 40, 50))
