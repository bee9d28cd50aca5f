"""An MLP is fed pictures as they come from the loader."""

import torch
from torch import nn

LAYER = "fc1"
CAUSE = "not-flattened"
FIX = "feed x.flatten(1)"
REPAIR = ("Net()(images)", "Net()(images.flatten(1))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


images = torch.randn(64, 1, 28, 28)
Net()(images)
