"""A head is as wide as the batch times its features happen to be."""

import torch
from torch import nn

LAYER = "fc"
CAUSE = "features"
FIX = 'in_features=128 in "fc"'
REPAIR = ("nn.Linear(512, 6)", "nn.Linear(128, 6)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.fc = nn.Linear(512, 6)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv(x)))
        return self.fc(torch.flatten(x, 1))


model = nn.DataParallel(Net())


def step():
    return model(torch.randn(4, 3, 32, 32))


step()
