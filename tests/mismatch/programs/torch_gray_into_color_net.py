"""A network trained in color is fed gray pictures."""

import torch
from torch import nn

LAYER = "conv1"
CAUSE = "channels"
FIX = "feed x.expand(-1, 3, -1, -1)"
REPAIR = ("Net()(x)", "Net()(x.expand(-1, 3, -1, -1))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.bn1(self.conv1(x)).mean((2, 3)))


x = torch.randn(4, 1, 64, 48)
Net()(x)
