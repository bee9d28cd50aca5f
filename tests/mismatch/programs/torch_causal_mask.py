"""The layer reads the batch as time, so the causal mask does not fit."""

import torch
from torch import nn

LAYER = "attn"
CAUSE = "batch-first"
FIX = 'batch_first=True in "attn"'
REPAIR = ("nn.MultiheadAttention(16, 4)", "nn.MultiheadAttention(16, 4, batch_first=True)")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 4)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.attn(x, x, x, attn_mask=mask)[0]


Block()(torch.randn(3, 10, 16))
