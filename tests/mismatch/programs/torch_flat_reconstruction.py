"""A binary loss compares a flat reconstruction with a picture."""

import torch
from torch import nn
from torch.nn import functional as F

LAYER = "binary_cross_entropy"
CAUSE = "not-flattened"
FIX = "pass x.flatten(1)"
REPAIR = ("F.binary_cross_entropy(recon, x,", "F.binary_cross_entropy(recon, x.flatten(1),")


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(784, 64)
        self.mu, self.lv = nn.Linear(64, 8), nn.Linear(64, 8)
        self.dec = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid())

    def forward(self, x):
        h = torch.relu(self.enc(x.view(-1, 784)))
        mu, lv = self.mu(h), self.lv(h)
        return self.dec(mu + torch.randn_like(mu) * torch.exp(lv / 2)), mu, lv


def loss_function(recon, x, mu, lv):
    bce = F.binary_cross_entropy(recon, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + lv - mu.pow(2) - lv.exp())


model = VAE()


def step():
    x = torch.rand(6, 1, 28, 28)
    recon, mu, lv = model(x)
    loss_function(recon, x, mu, lv).backward()


step()
