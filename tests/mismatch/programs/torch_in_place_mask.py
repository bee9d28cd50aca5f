"""The large values are set to 0 in the very tensor that exp keeps for its gradient."""

import torch
from torch import nn

LAYER = "setitem"
CAUSE = "in-place"
FIX = "weights = weights.masked_fill(mask, 0.0) instead of weights[mask] = 0.0"
REPAIR = ("weights[mask] = 0.0", "weights = weights.masked_fill(mask, 0.0)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(6, 5)

    def forward(self, x):
        weights = torch.exp(self.score(x))
        mask = weights > 1.5
        weights[mask] = 0.0
        return weights / (weights.sum(1, keepdim=True) + 1)


torch.manual_seed(0)
model = Net()
target = torch.rand(8, 5)
loss = nn.functional.mse_loss(model(torch.randn(8, 6)), target)
loss.backward()
