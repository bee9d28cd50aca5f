"""The pool in one of three branches is not padded."""

import torch
from torch import nn

LAYER = "cat"
CAUSE = "space"
FIX = 'padding=1 in "bp.0"'
REPAIR = ("nn.MaxPool2d(3, stride=1)", "nn.MaxPool2d(3, stride=1, padding=1)")


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1 = nn.Conv2d(8, 4, 1)
        self.b3 = nn.Conv2d(8, 4, 3, padding=1)
        self.bp = nn.Sequential(nn.MaxPool2d(3, stride=1), nn.Conv2d(8, 4, 1))

    def forward(self, x):
        return torch.cat([self.b1(x), self.b3(x), self.bp(x)], 1)


model = Inception()


def step():
    return model(torch.randn(2, 8, 20, 28))


step()
