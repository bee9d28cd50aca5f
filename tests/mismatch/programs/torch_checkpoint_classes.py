"""The checkpoint has a head for other classes."""

import torch
from torch import nn

LAYER = "fc"
CAUSE = "other-classes"
FIX = 'out_features=1000 in "fc"'
REPAIR = ("nn.Linear(16, 10)", "nn.Linear(16, 1000)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


state = {**Net().state_dict(), "fc.weight": torch.zeros(1000, 16), "fc.bias": torch.zeros(1000)}
Net().load_state_dict(state)
