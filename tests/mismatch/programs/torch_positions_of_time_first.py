"""A table of positions is made for the time first, and what it is added to has the batch first."""

import math

import torch
from torch import nn

LAYER = "pos.add"
CAUSE = "batch-first"
FIX = 'self.pe[:x.size(1)].transpose(0, 1) before "pos.add"'
REPAIR = ("self.pe[: x.size(1)]", "self.pe[: x.size(1)].transpose(0, 1)")


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=100):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(1)]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(90, 32)
        self.pos = PositionalEncoding(32)
        self.enc = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.fc = nn.Linear(32, 90)

    def forward(self, x):
        return self.fc(self.enc(self.pos(self.emb(x))))


model = Model()


def step():
    return model(torch.randint(0, 90, (6, 15)))


step()
