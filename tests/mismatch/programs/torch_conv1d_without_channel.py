"""A batch of plain signals has no channel axis."""

import torch
from torch import nn

LAYER = "conv"
CAUSE = "no-channel"
FIX = "feed x.unsqueeze(1)"
REPAIR = ("Net()(x)", "Net()(x.unsqueeze(1))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 7)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.conv(x).mean(-1))


x = torch.randn(16, 500)
Net()(x)
