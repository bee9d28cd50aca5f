"""A vector of scales is spread over channels."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 6, (1, 7), padding="same", dilation=(1, 3))
        self.scale = nn.Parameter(torch.ones(6, 1, 1))

    def forward(self, x):
        return self.conv(x) * self.scale


assert Net()(torch.randn(4, 2, 1, 50)).shape == (4, 6, 1, 50)
