"""Predictions are stacked, and the last batch is smaller."""

import torch

LAYER = "stack"
CAUSE = "unequal"
FIX = "torch.cat(parts) instead of torch.stack(parts)"
REPAIR = ("torch.stack(parts)", "torch.cat(parts)")

net = torch.nn.Linear(5, 3)
data = torch.randn(22, 5)
parts = [net(data[n : n + 8]) for n in range(0, 22, 8)]
scores = torch.stack(parts)
