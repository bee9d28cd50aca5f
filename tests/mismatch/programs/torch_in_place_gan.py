"""The discriminator is updated between the generator's forward and its backward."""

import torch
from torch import nn

LAYER = "discriminator.2"
CAUSE = "in-place"
FIX = "opt_d.step() after g_loss.backward()"
REPAIR = (
    "opt_d.step()\n\nopt_g.zero_grad()\ng_loss.backward()",
    "opt_g.zero_grad()\ng_loss.backward()\nopt_d.step()",
)

generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))
discriminator = nn.Sequential(nn.Linear(6, 5), nn.LeakyReLU(0.2), nn.Linear(5, 1))
opt_g = torch.optim.Adam(generator.parameters(), 1e-3)
opt_d = torch.optim.Adam(discriminator.parameters(), 1e-3)
bce = nn.BCEWithLogitsLoss()

real, noise = torch.randn(3, 6), torch.randn(3, 4)
fake_score = discriminator(generator(noise))
d_loss = bce(discriminator(real), torch.ones(3, 1)) + bce(fake_score, torch.zeros(3, 1))
g_loss = bce(fake_score, torch.ones(3, 1))

opt_d.zero_grad()
d_loss.backward(retain_graph=True)
opt_d.step()

opt_g.zero_grad()
g_loss.backward()
