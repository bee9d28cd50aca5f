"""An odd size is fine where the skip is cropped."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)

    def forward(self, x):
        one = self.down(x)
        high = self.up(nn.functional.max_pool2d(one, 2))
        return torch.cat([high, one[..., : high.shape[-2], : high.shape[-1]]], 1)


assert Net()(torch.randn(2, 3, 45, 61)).shape == (2, 16, 44, 60)
