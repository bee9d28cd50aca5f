"""The view counts on another picture size."""

import torch
from torch import nn

LAYER = "view"
CAUSE = "input-size"
FIX = "feed 32×32 (32 to 35 fit)"
REPAIR = ("28, 28", "32, 32")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 5 * 5, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.view(x.size(0), 16 * 5 * 5))


Net()(torch.randn(4, 1, 28, 28))
