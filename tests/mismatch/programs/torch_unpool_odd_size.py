"""An unpooling makes less space than was pooled, since an odd row was left out."""

import torch
from torch import nn

LAYER = "unpool"
CAUSE = "rounding"
FIX = "feed 28×28 (multiples of 2 fit)"
REPAIR = ("torch.randn(2, 3, 27, 27)", "torch.randn(2, 3, 28, 28)")


class SegNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc1 = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        self.dec1 = nn.Conv2d(8, 2, 3, padding=1)

    def forward(self, x):
        e = torch.relu(self.enc1(x))
        p, idx = self.pool(e)
        u = self.unpool(p, idx)
        return self.dec1(u) + e[:, :2]


model = SegNet()


def step():
    return model(torch.randn(2, 3, 27, 27))


step()
