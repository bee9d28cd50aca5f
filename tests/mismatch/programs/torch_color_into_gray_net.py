"""The data set turned out to be in color."""

import torch
from torch import nn

LAYER = "stem.0"
CAUSE = "channels"
FIX = 'in_channels=3 in "stem.0"'
REPAIR = ("nn.Conv2d(1, 8, 3)", "nn.Conv2d(3, 8, 3)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(self.stem(x).flatten(1))


Net()(torch.randn(4, 3, 30, 40))
