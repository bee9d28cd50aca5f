"""The channels before a pixel shuffle are no multiple of the square of its factor."""

import torch
from torch import nn

LAYER = "up.1"
CAUSE = "channels"
FIX = 'out_channels=12 in "up.0"'
REPAIR = ("nn.Conv2d(8, 11, 3", "nn.Conv2d(8, 12, 3")


class Enlarger(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Sequential(nn.Conv2d(8, 11, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x):
        return self.up(x)


Enlarger()(torch.randn(2, 8, 5, 6))
