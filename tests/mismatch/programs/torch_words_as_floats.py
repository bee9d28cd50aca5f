"""The word numbers come out of a data frame as floats."""

import torch
from torch import nn

LAYER = "embed"
CAUSE = "dtype"
FIX = "feed x.long()"
REPAIR = ("Net()(x)", "Net()(x.long())")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(1000, 32)
        self.fc = nn.Linear(32, 2)

    def forward(self, x):
        return self.fc(self.embed(x).mean(1))


x = torch.ones(4, 12)
Net()(x)
