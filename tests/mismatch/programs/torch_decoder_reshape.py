"""A decoder reshapes to more channels than the layer before makes."""

import torch
from torch import nn

LAYER = "view"
CAUSE = "reshape"
FIX = 'out_features=3136 in "fc"'
REPAIR = ("nn.Linear(20, 32 * 7 * 7)", "nn.Linear(20, 64 * 7 * 7)")


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten()
        )
        self.mu = nn.Linear(64 * 7 * 7, 20)
        self.logvar = nn.Linear(64 * 7 * 7, 20)
        self.fc = nn.Linear(20, 32 * 7 * 7)
        self.dec = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid()
        )

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        h = self.fc(z).view(x.size(0), 64, 7, 7)
        return self.dec(h), mu, logvar


model = VAE()


def step():
    return model(torch.randn(5, 1, 28, 28))


step()
