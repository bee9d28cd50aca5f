"""The attention has another width than the embedding."""

import torch
from torch import nn

LAYER = "attn"
CAUSE = "features"
FIX = 'embed_dim=192 in "attn"'
REPAIR = ("nn.MultiheadAttention(256, 8", "nn.MultiheadAttention(192, 8")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 192)
        self.attn = nn.MultiheadAttention(256, 8, batch_first=True)

    def forward(self, x):
        x = self.embed(x)
        return self.attn(x, x, x)[0]


Net()(torch.randint(100, (4, 17)))
