"""A batch of gray pictures has no channel axis."""

import torch
from torch import nn

LAYER = "conv"
CAUSE = "no-channel"
FIX = "feed x.unsqueeze(1)"
REPAIR = ("Net()(batch)", "Net()(batch.unsqueeze(1))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5)
        self.fc = nn.Linear(6 * 24 * 24, 10)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


batch = torch.randn(16, 28, 28)
Net()(batch)
