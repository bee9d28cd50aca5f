"""Two layers that follow each other do not meet."""

import torch
from torch import nn

LAYER = "mlp.2"
CAUSE = "features"
FIX = 'in_features=84 in "mlp.2"'
REPAIR = ("nn.Linear(100, 10)", "nn.Linear(84, 10)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(30, 84), nn.ReLU(), nn.Linear(100, 10))

    def forward(self, x):
        return self.mlp(x)


Net()(torch.randn(6, 30))
