"""The last batch of an epoch holds one sample."""

import torch
from torch import nn

LAYER = "bn"
CAUSE = "batch-of-one"
FIX = "feed at least 2 samples a batch (DataLoader's drop_last=True drops the last one of 1)"
REPAIR = ("torch.randn(1, 20)", "torch.randn(2, 20)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(20, 16)
        self.bn = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.bn(self.fc1(x))))


Net()(torch.randn(1, 20))
