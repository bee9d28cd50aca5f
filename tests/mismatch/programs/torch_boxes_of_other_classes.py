"""A head of a detector makes channels for other classes than are asked for."""

import torch
from torch import nn

LAYER = "view"
CAUSE = "reshape"
FIX = 'out_channels=255 in "conv"'
REPAIR = ("nn.Conv2d(32, 75, 1)", "nn.Conv2d(32, 255, 1)")


class Head(nn.Module):
    def __init__(self, anchors=3, classes=80):
        super().__init__()
        self.a, self.c = anchors, classes
        self.conv = nn.Conv2d(32, 75, 1)

    def forward(self, x):
        x = self.conv(x)
        n, _, h, w = x.shape
        return x.view(n, self.a, 5 + self.c, h, w).permute(0, 1, 3, 4, 2)


model = Head()


def step():
    return model(torch.randn(2, 32, 13, 11))


step()
