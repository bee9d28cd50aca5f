"""The view reads a tensor whose axes were moved."""

import torch
from torch import nn

LAYER = "view"
CAUSE = "not-contiguous"
FIX = 'permute.contiguous() before "view"'
REPAIR = ("x.view(", "x.reshape(")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(2016, 10)

    def forward(self, x):
        x = self.conv(x).permute(0, 2, 3, 1)
        return self.fc(x.view(x.size(0), -1))


Net()(torch.randn(2, 3, 16, 20))
