"""A batched product of queries and keys, both with the features last."""

import torch
from torch import nn

LAYER = "matmul"
CAUSE = "swapped-axes"
FIX = 'key.transpose(1, 2) before "matmul"'
REPAIR = ("torch.bmm(query, key)", "torch.bmm(query, key.transpose(1, 2))")


class Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(12, 8), nn.Linear(12, 8)

    def forward(self, x, memory):
        query, key = self.query(x), self.key(memory)
        return torch.bmm(query, key)


Scores()(torch.randn(2, 5, 12), torch.randn(2, 7, 12))
