"""A PNG has an alpha channel."""

import torch
from torch import nn

LAYER = "conv1"
CAUSE = "channels"
FIX = "feed x[:, :3]"
REPAIR = ("Net()(x)", "Net()(x[:, :3])")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.conv1(x).amax((2, 3)))


x = torch.randn(4, 4, 64, 48)
Net()(x)
