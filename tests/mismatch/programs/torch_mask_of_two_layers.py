"""Every layer of a stack masks its scores with a mask that has no axis for the heads."""

import math

import torch
from torch import nn

LAYER = "layers.0.masked_fill"
CAUSE = "missing-axis"
FIX = '(mask == 0).unsqueeze(1).unsqueeze(1) before "layers.0.masked_fill"'
REPAIR = ("masked_fill(mask == 0", "masked_fill(mask[:, None, None] == 0")


class SelfAttention(nn.Module):
    def __init__(self, dim=48, heads=6):
        super().__init__()
        self.h, self.d = heads, dim // heads
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.h, self.d).transpose(1, 2)

    def forward(self, x, mask):
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d)
        scores = scores.masked_fill(mask == 0, -1e9)
        x = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return self.out(x)


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(80, 48)
        self.layers = nn.ModuleList(SelfAttention() for _ in range(2))
        self.cls = nn.Linear(48, 3)

    def forward(self, ids, mask):
        x = self.emb(ids)
        for layer in self.layers:
            x = layer(x, mask)
        return self.cls(x[:, 0])


model = Bert()


def step():
    ids = torch.randint(0, 80, (5, 17))
    return model(ids, torch.ones(5, 17))


step()
