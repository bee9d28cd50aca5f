"""flatten without a first axis takes the batch with it."""

import torch
from torch import nn

LAYER = "fc"
CAUSE = "batch-flattened"
FIX = 'torch.flatten(x).reshape(-1, 400) before "fc"'
REPAIR = ("torch.flatten(x)", "torch.flatten(x, 1)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=3)
        self.fc = nn.Linear(400, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(torch.flatten(x))


Net()(torch.randn(8, 3, 32, 32))
