"""The body was cut before its pool, and the head stands right behind it."""

import torch
from torch import nn

LAYER = "fc"
CAUSE = "not-flattened"
FIX = 'nn.AdaptiveAvgPool2d(1)(x).flatten(1) before "fc"'
REPAIR = ("self.fc(x)", "self.fc(nn.AdaptiveAvgPool2d(1)(x).flatten(1))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 32, 3, stride=2), nn.ReLU(), nn.Conv2d(32, 48, 3, stride=2))
        self.fc = nn.Linear(48, 10)

    def forward(self, x):
        x = torch.relu(self.body(x))
        return self.fc(x)


Net()(torch.randn(2, 3, 64, 80))
