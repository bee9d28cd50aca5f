"""The text is longer than the position table."""

import torch
from torch import nn

LAYER = "add"
CAUSE = "length"
FIX = "feed x[:, :64]"
REPAIR = ("torch.randint(100, (2, 80))", "torch.randint(100, (2, 64))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 24)
        self.position = nn.Parameter(torch.zeros(1, 64, 24))

    def forward(self, x):
        return self.embed(x) + self.position


Net()(torch.randint(100, (2, 80)))
