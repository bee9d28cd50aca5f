"""A dense block forgets one of the maps that it joins."""

import torch
from torch import nn

LAYER = "conv3"
CAUSE = "channels"
FIX = 'in_channels=48 in "conv3"'
REPAIR = ("self.conv3 = nn.Conv2d(32", "self.conv3 = nn.Conv2d(48")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 16, 3, padding=1)

    def forward(self, x):
        one = self.conv1(x)
        two = self.conv2(torch.cat([x, one], 1))
        return self.conv3(torch.cat([x, one, two], 1))


Net()(torch.randn(2, 16, 20, 24))
