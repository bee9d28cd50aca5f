"""Speech enhancement GAN: the generator takes noisy windows and a latent vector, least squares losses."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)

batch_size = 11
window = 1024
g_lambda = 100


class EmphasisDataset(Dataset):
    """Pairs of clean and noisy windows, cut from synthesized recordings."""

    def __init__(self, n_recordings=3, seconds=0.6, rate=16000):
        self.pairs = []
        for i in range(n_recordings):
            t = torch.arange(int(rate * seconds) - 700 * i) / rate
            clean = 0.5 * torch.sin(2 * torch.pi * (200 + 90 * i) * t)
            noisy = clean + 0.1 * torch.randn_like(clean)
            for at in range(0, len(t) - window, window):
                self.pairs.append((clean[None, at:at + window], noisy[None, at:at + window]))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc1 = nn.Conv1d(1, 12, 32, 4, 14)
        self.enc2 = nn.Conv1d(12, 24, 32, 4, 14)
        self.enc3 = nn.Conv1d(24, 40, 32, 4, 14)
        self.dec3 = nn.ConvTranspose1d(40 * 2, 24, 32, 4, 14)
        self.dec2 = nn.ConvTranspose1d(24 * 2, 12, 32, 4, 14)
        self.dec1 = nn.ConvTranspose1d(12 * 2, 1, 32, 4, 14)
        self.act = nn.PReLU()

    def forward(self, x, z):
        e1 = self.enc1(x)
        e2 = self.enc2(self.act(e1))
        c = self.act(self.enc3(self.act(e2)))
        encoded = torch.cat((c, z), dim=1)
        d3 = self.act(torch.cat((self.dec3(encoded), e2), dim=1))
        d2 = self.act(torch.cat((self.dec2(d3), e1), dim=1))
        return torch.tanh(self.dec1(d2))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(2, 12, 31, 4, 15), nn.LeakyReLU(0.03), nn.Conv1d(12, 24, 31, 4, 15), nn.BatchNorm1d(24),
            nn.LeakyReLU(0.03), nn.Conv1d(24, 1, 31, 4, 15))
        self.fc = nn.Linear(window // 64, 1)

    def forward(self, x):
        return self.fc(self.net(x).flatten(1))


dataset = EmphasisDataset()
random_data_loader = DataLoader(dataset, batch_size=batch_size, shuffle=True)
print("windows", len(dataset), "batches", len(random_data_loader))

generator, discriminator = Generator(), Discriminator()
g_optimizer = torch.optim.RMSprop(generator.parameters(), lr=1e-4)
d_optimizer = torch.optim.RMSprop(discriminator.parameters(), lr=1e-4)

for epoch in range(1):
    for i, (clean, noisy) in enumerate(random_data_loader):
        # latent vector of the thought vector's size
        z = torch.randn((batch_size, 40, window // 64))
        # discriminator
        d_real = discriminator(torch.cat((clean, noisy), dim=1))
        generated = generator(noisy, z)
        d_fake = discriminator(torch.cat((generated.detach(), noisy), dim=1))
        d_loss = 0.5 * torch.mean((d_real - 1.0) ** 2) + 0.5 * torch.mean(d_fake ** 2)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        # generator
        outputs = discriminator(torch.cat((generated, noisy), dim=1))
        g_loss = 0.5 * torch.mean((outputs - 1.0) ** 2) + g_lambda * torch.mean(torch.abs(generated - clean))
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
    print(f"epoch {epoch}: d {d_loss.item():.4f} g {g_loss.item():.4f}")
