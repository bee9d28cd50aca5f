"""Labels are one-hot in whole numbers, and the loss wants class numbers."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "targets"
FIX = "pass y.argmax(1)"
REPAIR = ("loss_of(model(x), y)", "loss_of(model(x), y.argmax(1))")

model = nn.Linear(20, 10)
loss_of = nn.CrossEntropyLoss()
x, y = torch.randn(3, 20), nn.functional.one_hot(torch.tensor([1, 9, 4]), 10)
loss = loss_of(model(x), y)
