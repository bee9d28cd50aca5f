"""An LSTM gives its outputs and its state, and the next layer takes the outputs alone."""

import torch
from torch import nn

LAYER = "2"
CAUSE = "several-outputs"
FIX = 'take output [0] of "1" alone'
REPAIR = ("model(words)", "model[2](model[1](model[0](words))[0])")

model = nn.Sequential(nn.Embedding(50, 8), nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 2))
words = torch.randint(50, (3, 9))
model(words)
