"""The memory of a cross-attention has features of its own."""

import torch
from torch import nn

LAYER = "attn"
CAUSE = "features"
FIX = 'kdim=96, vdim=96 in "attn"'
REPAIR = (
    "nn.MultiheadAttention(64, 4, batch_first=True)",
    "nn.MultiheadAttention(64, 4, batch_first=True, kdim=96, vdim=96)",
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(64, 4, batch_first=True)

    def forward(self, x, memory):
        return self.attn(x, memory, memory)[0]


Net()(torch.randn(2, 10, 64), torch.randn(2, 30, 96))
