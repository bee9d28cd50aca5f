"""The batch size is written into the view, and the last batch is smaller."""

import torch
from torch import nn

LAYER = "view"
CAUSE = "reshape"
FIX = 'x.view(-1, 784) in "view"'
REPAIR = ("x.view(64, 784)", "x.view(-1, 784)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(x.view(64, 784))


Net()(torch.randn(40, 1, 28, 28))
