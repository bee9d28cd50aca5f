"""A table from NumPy holds doubles, and the weights are floats."""

import numpy as np
import torch
from torch import nn

LAYER = "0"
CAUSE = "dtype"
FIX = "feed input.float()"
REPAIR = ("model(x), y", "model(x.float()), y.float()")

model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 1))


def step():
    x = torch.from_numpy(np.random.rand(20, 13))
    y = torch.from_numpy(np.random.rand(20, 1))
    loss = nn.MSELoss()(model(x), y)
    loss.backward()


step()
