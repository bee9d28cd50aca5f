"""A value that the gradient of sigmoid needs is changed in place."""

import torch
from torch import nn

LAYER = "add"
CAUSE = "in-place"
FIX = "x = x + 1 instead of x += 1"
REPAIR = ("x += 1", "x = x + 1")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        x = torch.sigmoid(self.fc(x))
        x += 1
        return x


model = Net()
x = torch.randn(3, 6)
out = model(x)
out.sum().backward()
