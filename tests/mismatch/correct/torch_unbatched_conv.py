"""A convolution takes one picture without a batch."""

import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2))
assert net(torch.randn(3, 21, 17)).shape == (5, 9, 7)
