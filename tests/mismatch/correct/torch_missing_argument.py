"""A model is called without one of its arguments, which Python says itself."""

import torch
from torch import nn

RAISES = "TypeError"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x, mask):
        return self.fc(x) * mask


Net()(torch.randn(2, 3))
