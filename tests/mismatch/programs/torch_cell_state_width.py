"""A GRU cell gets a first state of another width."""

import torch
from torch import nn

LAYER = "cell"
CAUSE = "state"
FIX = 'a state of shape (5, 10) for "cell"'
REPAIR = ("torch.zeros(x.size(1), 14)", "torch.zeros(x.size(1), 10)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(6, 10)
        self.fc = nn.Linear(10, 2)

    def forward(self, x):
        h = torch.zeros(x.size(1), 14)
        for t in range(x.size(0)):
            h = self.cell(x[t], h)
        return self.fc(h)


model = Net()


def step():
    return model(torch.randn(7, 5, 6))


step()
