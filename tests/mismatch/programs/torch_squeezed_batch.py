"""A squeeze of all axes takes away a batch of one as well."""

import torch
from torch import nn

LAYER = "bn"
CAUSE = "squeezed"
FIX = "self.body(x).flatten(1) instead of self.body(x).squeeze()"
REPAIR = ("self.body(x).squeeze()", "self.body(x).flatten(1)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 24, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.bn = nn.BatchNorm1d(24)
        self.head = nn.Linear(24, 8)

    def forward(self, x):
        x = self.body(x).squeeze()
        return self.head(self.bn(x))


model = Net().eval()


def step():
    return model(torch.randn(1, 3, 20, 30))


step()
