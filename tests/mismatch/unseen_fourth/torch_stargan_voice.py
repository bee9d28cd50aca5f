# StarGAN-VC: one generator converts the voice of any speaker of the data to that of any other.
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SPEAKERS = ["SF1", "SF2", "TM1", "TM2"]
FRAMES, MCEPS = 64, 36


def preprocess(present):
    """Mel-cepstral features of the speakers whose recordings lie in ./data/speakers."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal((MCEPS, 600)).astype("float32") for name in present}


class AudioDataset(Dataset):
    def __init__(self, features, per_speaker=12):
        self.features, self.names = features, sorted(features)
        self.items = [(name, i * FRAMES // 2) for name in self.names for i in range(per_speaker)]
        # one-hot labels of the speakers
        self.onehot = np.eye(len(self.names), dtype="float32")

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        name, start = self.items[index]
        at = self.names.index(name)
        x = torch.from_numpy(self.features[name][:, start:start + FRAMES])[None]
        return x, torch.tensor(at), torch.from_numpy(self.onehot[at])


class Down2d(nn.Module):
    """GLU: a convolution, gated by another."""

    def __init__(self, in_channel, out_channel, kernel, stride, padding):
        super().__init__()
        self.c1 = nn.Conv2d(in_channel, out_channel, kernel_size=kernel, stride=stride, padding=padding)
        self.n1 = nn.InstanceNorm2d(out_channel)
        self.c2 = nn.Conv2d(in_channel, out_channel, kernel_size=kernel, stride=stride, padding=padding)
        self.n2 = nn.InstanceNorm2d(out_channel)

    def forward(self, x):
        return self.n1(self.c1(x)) * torch.sigmoid(self.n2(self.c2(x)))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.downsample = nn.Sequential(Down2d(1, 12, (3, 9), (1, 1), (1, 4)), Down2d(12, 16, (4, 8), (2, 2), (1, 3)))
        n = 16 + len(SPEAKERS)
        self.up1 = nn.ConvTranspose2d(n, 12, (4, 8), (2, 2), (1, 3))
        self.deconv = nn.Conv2d(12 + len(SPEAKERS), 1, (3, 9), 1, (1, 4))

    def forward(self, x, c):
        x = self.downsample(x)
        c = c.view(c.size(0), c.size(1), 1, 1)
        x = torch.cat([x, c.repeat(1, 1, x.size(2), x.size(3))], dim=1)
        x = F.relu(self.up1(x))
        return self.deconv(torch.cat([x, c.repeat(1, 1, x.size(2), x.size(3))], dim=1))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1 = Down2d(5, 12, (3, 9), (1, 1), (1, 4))
        self.d2 = Down2d(16, 12, (3, 8), (1, 2), (1, 3))
        self.conv = nn.Conv2d(16, 1, (MCEPS, 5), (MCEPS, 1), (0, 2))
        self.pool = nn.AvgPool2d((1, 32))

    def forward(self, x, c):
        c = c.view(c.size(0), c.size(1), 1, 1)
        for layer in (self.d1, self.d2):
            x = layer(torch.cat([x, c.repeat(1, 1, x.size(2), x.size(3))], dim=1))
        x = torch.cat([x, c.repeat(1, 1, x.size(2), x.size(3))], dim=1)
        return torch.sigmoid(self.pool(self.conv(x))).view(-1)


class DomainClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(Down2d(1, 8, (4, 4), (2, 2), (1, 1)), Down2d(8, 12, (4, 4), (2, 2), (1, 1)))
        self.out = nn.Linear(12, len(SPEAKERS))

    def forward(self, x):
        return self.out(self.main(x[:, :, :8]).mean((2, 3)))


class Solver:
    def __init__(self, loader):
        self.loader = loader
        self.G, self.D, self.C = Generator(), Discriminator(), DomainClassifier()
        self.d_optimizer = torch.optim.Adam([*self.D.parameters(), *self.C.parameters()], 1e-4)
        self.g_optimizer = torch.optim.Adam(self.G.parameters(), 1e-4)

    def train(self):
        for x_real, spk_org, label_org in self.loader:
            # 1. classifier and discriminator
            cls_loss = F.cross_entropy(self.C(x_real), spk_org)
            rand = torch.randperm(len(x_real))
            label_trg, spk_trg = label_org[rand], spk_org[rand]
            out_r = self.D(x_real, label_org)
            out_f = self.D(self.G(x_real, label_trg).detach(), label_trg)
            d_loss = cls_loss - torch.log(out_r + 1e-6).mean() - torch.log(1 - out_f + 1e-6).mean()
            self.d_optimizer.zero_grad()
            d_loss.backward()
            self.d_optimizer.step()
            # 2. generator
            x_fake = self.G(x_real, label_trg)
            cycle = self.G(x_fake, label_org)
            g_loss = -torch.log(self.D(x_fake, label_trg) + 1e-6).mean() + (cycle - x_real).abs().mean()
            g_loss = g_loss + F.cross_entropy(self.C(x_fake), spk_trg)
            self.g_optimizer.zero_grad()
            g_loss.backward()
            self.g_optimizer.step()
        return d_loss.item(), g_loss.item()


torch.manual_seed(0)
features = preprocess(["SF1", "TM1"])
train_loader = DataLoader(AudioDataset(features), batch_size=4, shuffle=True, drop_last=True)
solver = Solver(train_loader)
d_loss, g_loss = solver.train()
print("D", round(d_loss, 3), "G", round(g_loss, 3))
