"""A skip doubles the channels, and the pictures have as many rows as the layer has channels."""

import torch
from torch import nn

LAYER = "u2"
CAUSE = "channels"
FIX = 'in_channels=64 in "u2"'
REPAIR = ("nn.ConvTranspose2d(32, 3,", "nn.ConvTranspose2d(64, 3,")


class G(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1 = nn.Conv2d(3, 32, 4, 2, 1)
        self.d2 = nn.Conv2d(32, 64, 4, 2, 1)
        self.u1 = nn.ConvTranspose2d(64, 32, 4, 2, 1)
        self.u2 = nn.ConvTranspose2d(32, 3, 4, 2, 1)

    def forward(self, x):
        a = torch.relu(self.d1(x))
        b = torch.relu(self.d2(a))
        c = torch.relu(self.u1(b))
        return torch.tanh(self.u2(torch.cat([c, a], 1)))


model = G()


def step():
    return model(torch.randn(2, 3, 64, 48))


step()
