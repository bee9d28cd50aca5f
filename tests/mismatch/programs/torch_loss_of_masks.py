"""The masks of a segmentation keep their channel axis."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "targets"
FIX = "pass y.squeeze(1)"
REPAIR = ("loss_of(model(x), y)", "loss_of(model(x), y.squeeze(1))")


model = nn.Conv2d(3, 7, 3, padding=1)
loss_of = nn.CrossEntropyLoss()
x, y = torch.randn(2, 3, 20, 30), torch.randint(7, (2, 1, 20, 30))
loss = loss_of(model(x), y)
