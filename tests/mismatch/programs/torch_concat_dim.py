"""Two kinds of features are joined along the batch."""

import torch
from torch import nn

LAYER = "cat"
CAUSE = "concat-axis"
FIX = 'dim=1 in "cat"'
REPAIR = ("dim=0", "dim=1")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.picture = nn.Linear(300, 64)
        self.table = nn.Linear(12, 10)
        self.fc = nn.Linear(74, 2)

    def forward(self, x, t):
        joined = torch.cat([self.picture(x), self.table(t)], dim=0)
        return self.fc(joined)


Net()(torch.randn(8, 300), torch.randn(8, 12))
