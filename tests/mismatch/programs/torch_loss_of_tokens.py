"""The classes of every token stand last, and the loss reads them from axis 1."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "channels-last"
FIX = 'out.transpose(1, 2) before "loss_of"'
REPAIR = ("loss_of(out, y)", "loss_of(out.transpose(1, 2), y)")


model = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 50))
loss_of = nn.CrossEntropyLoss()
x, y = torch.randint(50, (4, 9)), torch.randint(50, (4, 9))
out = model(x)
loss = loss_of(out, y)
