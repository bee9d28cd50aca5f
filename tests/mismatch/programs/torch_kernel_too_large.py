"""A network for large pictures is fed thumbnails."""

from itertools import pairwise

import torch
from torch import nn

LAYER = "body.9"
CAUSE = "too-small"
FIX = "feed 78×78 or larger"
REPAIR = ("32, 32", "78, 78")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3, 8, 8, 16, 16]
        stages = [(nn.Conv2d(i, o, 3), nn.ReLU(), nn.MaxPool2d(2)) for i, o in pairwise(widths)]
        self.body = nn.Sequential(*(layer for stage in stages for layer in stage), nn.Conv2d(16, 32, 3))
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


Net()(torch.randn(2, 3, 32, 32))
