"""A convolutional VAE with a decoder of transposed convolutions."""
import torch
import torch.nn as nn
import torch.nn.functional as F

config = dict(channels=1, hidden=[8, 14, 20], latent=9, height=32, width=48, batch=6)


class VAE(nn.Module):
    def __init__(self, channels, hidden, latent):
        super().__init__()
        modules, ch = [], channels
        for h in hidden:
            modules.append(nn.Sequential(nn.Conv2d(ch, h, kernel_size=3, stride=2, padding=1), nn.LeakyReLU()))
            ch = h
        self.encoder = nn.Sequential(*modules)
        self.fc_mu = nn.Linear(hidden[-1] * 4 * 6, latent)
        self.fc_var = nn.Linear(hidden[-1] * 4 * 6, latent)
        self.decoder_input = nn.Linear(latent, hidden[-1] * 4 * 6)
        back = hidden[::-1]
        self.decoder = nn.Sequential(*[
            nn.Sequential(nn.ConvTranspose2d(back[i], back[i + 1], 3, stride=2, padding=1, output_padding=1),
                          nn.BatchNorm2d(back[i + 1]), nn.LeakyReLU())
            for i in range(len(back) - 1)
        ])
        self.final_layer = nn.Sequential(
            nn.ConvTranspose2d(back[-1], back[-1], kernel_size=3, stride=2, padding=1, output_padding=1),
            nn.Conv2d(back[-1], channels, kernel_size=3, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x):
        result = torch.flatten(self.encoder(x), start_dim=1)
        return self.fc_mu(result), self.fc_var(result)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        result = self.decoder_input(z)
        result = result.view(-1, 20, 4, 6)
        return self.final_layer(self.decoder(result))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recons, x, mu, logvar, kld_weight=0.005):
    recons_loss = F.binary_cross_entropy(recons, x)
    kld = torch.mean(-0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp(), dim=1), dim=0)
    return recons_loss + kld_weight * kld


torch.manual_seed(0)
vae = VAE(config["channels"], config["hidden"], config["latent"])
optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
batch = torch.rand(config["batch"], config["channels"], config["height"], config["width"])
recons, mu, logvar = vae(batch)
loss = loss_function(recons, batch, mu, logvar)
optimizer.zero_grad()
loss.backward()
optimizer.step()
print("recons", tuple(recons.shape), "mu", tuple(mu.shape))
