"""Sources and targets have the batch first, which the transformer reads as time."""

import torch
from torch import nn

LAYER = "transformer"
CAUSE = "batch-first"
FIX = 'batch_first=True in "transformer"'
REPAIR = ("dim_feedforward=32)", "dim_feedforward=32, batch_first=True)")


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(50, 16), nn.Embedding(60, 16)
        self.transformer = nn.Transformer(16, 4, 1, 1, dim_feedforward=32)

    def forward(self, source, target):
        return self.transformer(self.source(source), self.target(target))


Translator()(torch.randint(50, (3, 10)), torch.randint(60, (3, 7)))
