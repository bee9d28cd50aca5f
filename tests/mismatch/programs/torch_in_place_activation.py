"""An activation in place behind a sigmoid, which needs its own output for the gradient."""

import torch
from torch import nn

LAYER = "model.2"
CAUSE = "in-place"
FIX = 'inplace=False in "model.2"'
REPAIR = ("nn.Dropout(0.3, inplace=True)", "nn.Dropout(0.3)")

model = nn.Sequential(nn.Linear(6, 4), nn.Sigmoid(), nn.Dropout(0.3, inplace=True), nn.Linear(4, 2))
loss = nn.CrossEntropyLoss()(model(torch.randn(3, 6)), torch.tensor([1, 0, 1]))
loss.backward()
