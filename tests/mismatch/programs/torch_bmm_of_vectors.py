"""A batched product takes matrices, and one of the two is a vector for each sample."""

import torch
from torch import nn

LAYER = "matmul"
CAUSE = "missing-axis"
FIX = 'weights.unsqueeze(1) before "matmul"'
REPAIR = ("torch.bmm(weights, x)", "torch.bmm(weights.unsqueeze(1), x)")


class Pooling(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(6, 1)
        self.weights = nn.Softmax(1)

    def forward(self, x):
        weights = self.weights(self.score(x).squeeze(-1))
        return torch.bmm(weights, x)


Pooling()(torch.randn(4, 9, 6))
