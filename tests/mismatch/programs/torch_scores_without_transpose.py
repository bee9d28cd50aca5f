"""The keys of a hand-written attention are not transposed."""

import torch
from torch import nn

LAYER = "matmul"
CAUSE = "swapped-axes"
FIX = 'self.k(x).transpose(1, 2) before "matmul"'
REPAIR = ("q @ self.k(x)", "q @ self.k(x).transpose(1, 2)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(32, 32)
        self.k = nn.Linear(32, 32)
        self.v = nn.Linear(32, 32)

    def forward(self, x):
        q = self.q(x)
        scores = q @ self.k(x)
        return scores.softmax(-1) @ self.v(x)


Net()(torch.randn(2, 11, 32))
