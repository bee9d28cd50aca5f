"""A mask over the keys is added to scores that have heads and queries besides."""

import torch
from torch import nn

LAYER = "add"
CAUSE = "missing-axis"
FIX = "feed mask.unsqueeze(1).unsqueeze(1)"
REPAIR = ("attention(x, mask)", "attention(x, mask[:, None, None])")


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, mask):
        q = self.q(x).view(3, 6, 4, 2).transpose(1, 2)
        k = self.k(x).view(3, 6, 4, 2).transpose(1, 2)
        return (q @ k.transpose(-1, -2) + mask).softmax(-1)


attention = Attention()
x, mask = torch.randn(3, 6, 8), torch.zeros(3, 6)
attention(x, mask)
