"""A batch may be empty."""

import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
assert net(torch.randn(0, 1, 8, 8)).shape == (0, 2)
