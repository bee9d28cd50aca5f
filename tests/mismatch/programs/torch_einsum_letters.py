"""The letters of an einsum name the axes of the second operand in the wrong order."""

import torch
from torch import nn

LAYER = "einsum"
CAUSE = "swapped-axes"
FIX = 'k.transpose(1, 2) before "einsum"'
REPAIR = ('"bqd,bdk->bqk", q, k', '"bqd,bdk->bqk", q, k.transpose(1, 2)')


class Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(12, 8), nn.Linear(12, 8)

    def forward(self, x, memory):
        q, k = self.q(x), self.k(memory)
        return torch.einsum("bqd,bdk->bqk", q, k).softmax(-1)


Scores()(torch.randn(2, 5, 12), torch.randn(2, 7, 12))
