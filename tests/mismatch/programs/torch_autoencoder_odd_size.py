"""A transposed convolution pads its output for an even size, and the pictures are odd."""

import torch
from torch import nn

LAYER = "mse_loss"
CAUSE = "space"
FIX = 'output_padding=0 in "model.up"'
REPAIR = ("padding=1, output_padding=1", "padding=1")


class AE(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(12, 3, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x):
        return self.up(torch.relu(self.down(x)))


model = AE()


def step():
    x = torch.rand(4, 3, 45, 61)
    loss = nn.MSELoss()(model(x), x)
    loss.backward()


step()
