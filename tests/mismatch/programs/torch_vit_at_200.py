"""A vision transformer's position table is made for 224×224."""

import torch
from torch import nn

LAYER = "add"
CAUSE = "input-size"
FIX = "feed 224×224 (224 to 239 fit)"
REPAIR = ("200, 200", "224, 224")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 16, stride=16)
        self.position = nn.Parameter(torch.zeros(1, 196, 24))
        self.norm = nn.LayerNorm(24)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.norm(x + self.position)


Net()(torch.randn(2, 3, 200, 200))
