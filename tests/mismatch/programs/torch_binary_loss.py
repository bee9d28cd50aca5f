"""One output a sample is a column, the labels are a row."""

import torch
from torch import nn

LAYER = "loss_of"
CAUSE = "targets"
FIX = 'model(x).squeeze(1) before "loss_of"'
REPAIR = ("loss_of(model(x), y)", "loss_of(model(x).squeeze(1), y)")


model = nn.Linear(20, 1)
loss_of = nn.BCEWithLogitsLoss()
x, y = torch.randn(8, 20), torch.ones(8)
loss = loss_of(model(x), y)
