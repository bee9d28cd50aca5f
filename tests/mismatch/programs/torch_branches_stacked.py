"""Two branches are stacked, and one of them is not padded enough for its kernel."""

import torch
from torch import nn

LAYER = "stack"
CAUSE = "space"
FIX = 'padding=2 in "b2"'
REPAIR = ("5, padding=1", "5, padding=2")


class MultiScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1 = nn.Conv2d(3, 8, 3, padding=1)
        self.b2 = nn.Conv2d(3, 8, 5, padding=1)
        self.out = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        y = torch.stack([self.b1(x), self.b2(x)], dim=0)
        return self.out(y.mean(0))


model = MultiScale()


def step():
    return model(torch.randn(2, 3, 20, 28))


step()
