"""A U-Net halves an odd size twice and cannot join its skips."""

import torch
from torch import nn

LAYER = "cat_1"
CAUSE = "rounding"
FIX = "feed 48×64 (multiples of 4 fit)"
REPAIR = ("45, 61", "48, 64")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(3, 8, 3, padding=1)
        self.down2 = nn.Conv2d(8, 16, 3, padding=1)
        self.middle = nn.Conv2d(16, 32, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.up1 = nn.ConvTranspose2d(32, 8, 2, stride=2)
        self.out = nn.Conv2d(16, 1, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        one = self.down1(x)
        two = self.down2(self.pool(one))
        low = self.middle(self.pool(two))
        high = self.up1(torch.cat([self.up2(low), two], dim=1))
        return self.out(torch.cat([high, one], dim=1))


Net()(torch.randn(2, 3, 45, 61))
