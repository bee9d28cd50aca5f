"""Regions are cut out of a feature map, changed, and written back into it."""

import torch
from torch import nn

LAYER = "setitem"
CAUSE = "in-place"
FIX = "X = X.clone() before X[:, :, top:bottom, left:right] = region * self.gate(region)"
REPAIR = (
    "X[:, :, top:bottom, left:right] = region",
    "X = X.clone()\n            X[:, :, top:bottom, left:right] = region",
)


class Regions(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, padding=1)
        self.gate = nn.Conv2d(4, 4, 1)

    def forward(self, x, boxes):
        X = torch.tanh(self.features(x))
        for top, left, bottom, right in boxes:
            region = X[:, :, top:bottom, left:right]
            X[:, :, top:bottom, left:right] = region * self.gate(region)
        return X


model = Regions()
picture = torch.randn(2, 3, 10, 12)
out = model(picture, [(1, 2, 5, 8), (4, 3, 9, 11)])
out.mean().backward()
