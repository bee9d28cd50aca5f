"""A Conv1d reads N C L, and the series comes as N T C."""

import torch
from torch import nn

LAYER = "conv"
CAUSE = "channels-last"
FIX = "feed x.transpose(1, 2)"
REPAIR = ("Net()(x)", "Net()(x.transpose(1, 2))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(9, 32, 5)
        self.fc = nn.Linear(32, 6)

    def forward(self, x):
        return self.fc(self.conv(x).mean(-1))


x = torch.randn(8, 128, 9)
Net()(x)
