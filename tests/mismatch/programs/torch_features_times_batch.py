"""The table stands on its side: features in rows."""

import torch
from torch import nn

LAYER = "fc"
CAUSE = "swapped-axes"
FIX = "feed x.transpose(0, 1)"
REPAIR = ("Net()(x)", "Net()(x.T)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(13, 4)

    def forward(self, x):
        return self.fc(x)


x = torch.randn(13, 50)
Net()(x)
