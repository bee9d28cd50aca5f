"""A batch norm is given sequences with the features last."""

import torch
from torch import nn

LAYER = "bn"
CAUSE = "channels-last"
FIX = "self.bn(self.fc1(x).transpose(1, 2)).transpose(1, 2) instead of self.bn(self.fc1(x))"
REPAIR = ("self.bn(self.fc1(x))", "self.bn(self.fc1(x).transpose(1, 2)).transpose(1, 2)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(9, 50)
        self.bn = nn.BatchNorm1d(50)
        self.fc2 = nn.Linear(50, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.bn(self.fc1(x))))


model = Net()


def step():
    return model(torch.randn(4, 15, 9))


step()
