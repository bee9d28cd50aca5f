"""The optimizer's entry of the checkpoint is loaded into the model."""

import torch
from torch import nn

LAYER = "Net"
CAUSE = "not-a-checkpoint"
FIX = 'model.load_state_dict(ck["model"])'
REPAIR = (
    'model.load_state_dict(ck["optimizer"])',
    'model.load_state_dict(ck["model"])',
)


class Net(nn.Module):
    def __init__(self, classes=10, width=12, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return self.head(x.mean((2, 3)))


first = Net()
ck = {"model": first.state_dict(), "optimizer": torch.optim.Adam(first.parameters()).state_dict()}
model = Net()
model.load_state_dict(ck["optimizer"])
