"""A generator gets its noise with ten label columns more than it was built for."""

import torch
from torch import nn

LAYER = "block1.0"
CAUSE = "channels"
FIX = 'in_channels=74 in "block1.0"'
REPAIR = ("self.make(z_dim, hidden * 4, 3, 2)", "self.make(z_dim + 10, hidden * 4, 3, 2)")


class Generator(nn.Module):
    def __init__(self, z_dim=64, hidden=32):
        super().__init__()
        self.z_dim = z_dim
        self.block1 = self.make(z_dim, hidden * 4, 3, 2)
        self.block2 = self.make(hidden * 4, hidden * 2, 4, 1)
        self.block3 = self.make(hidden * 2, hidden, 3, 2)
        self.block4 = nn.Sequential(nn.ConvTranspose2d(hidden, 1, 4, 2), nn.Tanh())

    def make(self, i, o, k, s):
        return nn.Sequential(nn.ConvTranspose2d(i, o, k, s), nn.BatchNorm2d(o), nn.ReLU())

    def forward(self, noise):
        x = noise.view(len(noise), noise.shape[1], 1, 1)
        return self.block4(self.block3(self.block2(self.block1(x))))


model = Generator()


def step():
    noise = torch.randn(6, 64)
    labels = nn.functional.one_hot(torch.randint(0, 10, (6,)), 10)
    return model(torch.cat([noise.float(), labels.float()], 1))


step()
