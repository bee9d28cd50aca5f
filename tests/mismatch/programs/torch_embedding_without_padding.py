"""A convolution without padding makes a sequence shorter than the one that it is added to."""

import torch
from torch import nn

LAYER = "embed.add"
CAUSE = "space"
FIX = 'padding=1 in "embed.value"'
REPAIR = ("nn.Conv1d(c_in, d, 3)", "nn.Conv1d(c_in, d, 3, padding=1)")


class DataEmbedding(nn.Module):
    def __init__(self, c_in=7, d=32):
        super().__init__()
        self.value = nn.Conv1d(c_in, d, 3)
        self.time = nn.Linear(4, d)

    def forward(self, x, mark):
        return self.value(x.permute(0, 2, 1)).transpose(1, 2) + self.time(mark)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = DataEmbedding()
        self.enc = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.proj = nn.Linear(32, 7)

    def forward(self, x, mark):
        return self.proj(self.enc(self.embed(x, mark)))


model = Net()


def step():
    return model(torch.randn(3, 96, 7), torch.randn(3, 96, 4))


step()
