"""The embedding does not divide into that many heads."""

import torch
from torch import nn

LAYER = "attn"
CAUSE = "attention-heads"
FIX = 'num_heads=10 in "attn"'
REPAIR = ("nn.MultiheadAttention(100, 8", "nn.MultiheadAttention(100, 10")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(100, 8, batch_first=True)

    def forward(self, x):
        return self.attn(x, x, x)[0]


Block()(torch.randn(2, 7, 100))
