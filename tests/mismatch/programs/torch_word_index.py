"""The vocabulary is larger than the table."""

import torch
from torch import nn

LAYER = "embed"
CAUSE = "index-range"
FIX = 'num_embeddings=1501 in "embed"'
REPAIR = ("nn.Embedding(1000, 32)", "nn.Embedding(1501, 32)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(1000, 32)
        self.fc = nn.Linear(32, 2)

    def forward(self, x):
        return self.fc(self.embed(x).mean(1))


Net()(torch.tensor([[3, 17, 1500], [7, 2, 9]]))
