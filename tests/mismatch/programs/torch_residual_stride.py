"""A block with a stride adds its input without striding that as well."""

import torch
from torch import nn

LAYER = "layer2.0.add"
CAUSE = "space"
FIX = 'nn.LazyConv2d(16, 1, stride=2)(identity) before "layer2.0.add"'
REPAIR = ("identity = x\n", "identity = x[..., :: self.conv1.stride[0], :: self.conv1.stride[0]]\n")


class Basic(nn.Module):
    def __init__(self, c, s=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c, 3, s, 1)
        self.conv2 = nn.Conv2d(c, c, 3, 1, 1)

    def forward(self, x):
        identity = x
        out = torch.relu(self.conv1(x))
        out = self.conv2(out)
        out += identity
        return torch.relu(out)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.layer1 = nn.Sequential(Basic(16), Basic(16))
        self.layer2 = nn.Sequential(Basic(16, 2), Basic(16))
        self.fc = nn.Linear(16, 7)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(x.mean((2, 3)))


model = Net()


def step():
    return model(torch.randn(2, 3, 32, 32))


step()
