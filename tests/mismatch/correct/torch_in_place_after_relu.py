"""A sum in place behind a layer whose gradient does not need its own output."""

import torch
from torch import nn

layer = nn.Linear(6, 4)
x = layer(torch.randn(3, 6))
x += 1
x.sum().backward()
assert layer.weight.grad.shape == (4, 6)
