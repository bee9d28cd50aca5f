"""Two heads are stacked that have different numbers of classes."""

import torch
from torch import nn

LAYER = "stack"
CAUSE = "unequal"
FIX = 'out_features=3 in "b"'
REPAIR = ("nn.Linear(10, 4)", "nn.Linear(10, 3)")


class Ens(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(10, 3)
        self.b = nn.Linear(10, 4)

    def forward(self, x):
        return torch.stack([self.a(x), self.b(x)]).mean(0)


model = Ens()


def step():
    return model(torch.randn(6, 10))


step()
