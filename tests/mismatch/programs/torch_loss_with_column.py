"""The labels come as a column."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "targets"
FIX = "pass y.squeeze(1)"
REPAIR = ("loss_of(model(x), y)", "loss_of(model(x), y.squeeze(1))")


model = nn.Linear(20, 5)
loss_of = nn.CrossEntropyLoss()
x, y = torch.randn(8, 20), torch.randint(5, (8, 1))
loss = loss_of(model(x), y)
