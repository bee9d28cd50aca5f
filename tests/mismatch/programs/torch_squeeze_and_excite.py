"""The weights of a squeeze-and-excite block have no spatial axes."""

import torch
from torch import nn

LAYER = "mul"
CAUSE = "missing-axis"
FIX = 'w.unsqueeze(-1).unsqueeze(-1) before "mul"'
REPAIR = ("x * w", "x * w[:, :, None, None]")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.fc1 = nn.Linear(16, 4)
        self.fc2 = nn.Linear(4, 16)

    def forward(self, x):
        x = self.conv(x)
        w = self.fc2(torch.relu(self.fc1(x.mean((2, 3)))))
        return x * w


Net()(torch.randn(2, 3, 20, 30))
