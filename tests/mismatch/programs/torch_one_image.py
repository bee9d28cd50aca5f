"""One picture without a batch axis passes the convolution and fails behind it."""

import torch
from torch import nn

LAYER = "fc"
CAUSE = "no-batch"
FIX = "feed x.unsqueeze(0)"
REPAIR = ("Net()(image)", "Net()(image.unsqueeze(0))")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.fc = nn.Linear(8 * 15 * 15, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(x.flatten(1))


image = torch.randn(3, 32, 32)
Net()(image)
