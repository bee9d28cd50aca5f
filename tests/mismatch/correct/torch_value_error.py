"""A model that refuses its input by itself says so itself."""

import torch
from torch import nn

RAISES = "ValueError"


class Net(nn.Module):
    def forward(self, x):
        if x.shape[0] % 2:
            raise ValueError("the batch has to be even")
        return x


Net()(torch.randn(3, 4))
