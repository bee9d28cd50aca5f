"""The LayerNorm kept its old width."""

import torch
from torch import nn

LAYER = "norm"
CAUSE = "features"
FIX = 'normalized_shape=96 in "norm"'
REPAIR = ("nn.LayerNorm(128)", "nn.LayerNorm(96)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(48, 96)
        self.norm = nn.LayerNorm(128)

    def forward(self, x):
        return self.norm(self.up(x))


Net()(torch.randn(2, 17, 48))
