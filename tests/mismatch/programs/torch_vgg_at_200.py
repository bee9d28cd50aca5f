"""A head for 224×224 meets pictures of 200×200."""

from itertools import pairwise

import torch
from torch import nn

LAYER = "head.1"
CAUSE = "input-size"
FIX = "feed 224×224 (224 to 255 fit)"
REPAIR = ("200, 200", "224, 224")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3, 8, 16, 32, 32, 32]
        self.body = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
                for i, o in pairwise(widths)
            )
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.head(self.body(x))


Net()(torch.randn(2, 3, 200, 200))
