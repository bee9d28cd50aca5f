"""The labels count from 1, so the last one is outside."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "class-index"
FIX = "pass y - 1"
REPAIR = ("loss_of(model(x), y)", "loss_of(model(x), y - 1)")


model = nn.Linear(20, 10)
loss_of = nn.CrossEntropyLoss()
x, y = torch.randn(3, 20), torch.tensor([1, 10, 4])
loss = loss_of(model(x), y)
