"""A linear layer works on the last of five axes."""

import torch
from torch import nn

assert nn.Linear(7, 3)(torch.randn(2, 3, 4, 5, 7)).shape == (2, 3, 4, 5, 3)
