"""A layer norm of the channels is given pictures with the channels first."""

import torch
from torch import nn

LAYER = "block.norm"
CAUSE = "channels-last"
FIX = "self.norm(self.dw(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2) instead of self.norm(self.dw(x))"
REPAIR = ("self.norm(self.dw(x))", "self.norm(self.dw(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.dw = nn.Conv2d(48, 48, 7, padding=3, groups=48)
        self.norm = nn.LayerNorm(48)
        self.pw = nn.Conv2d(48, 96, 1)

    def forward(self, x):
        return self.pw(self.norm(self.dw(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 48, 4, stride=4)
        self.block = Block()
        self.head = nn.Linear(96, 10)

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))


model = Net()


def step():
    return model(torch.randn(2, 3, 64, 80))


step()
