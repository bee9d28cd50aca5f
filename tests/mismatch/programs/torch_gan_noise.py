"""The noise of a generator has no spatial axes."""

import torch
from torch import nn

LAYER = "up.0"
CAUSE = "missing-axis"
FIX = "feed z.unsqueeze(-1).unsqueeze(-1)"
REPAIR = ("Net()(z)", "Net()(z[:, :, None, None])")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Sequential(nn.ConvTranspose2d(100, 64, 4), nn.ReLU(), nn.ConvTranspose2d(64, 3, 4, 2, 1))

    def forward(self, z):
        return self.up(z)


z = torch.randn(16, 100)
Net()(z)
