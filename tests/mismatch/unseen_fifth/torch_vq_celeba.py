"""VQ-VAE on cropped faces: encoder, codebook with straight-through gradients, decoder."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(8)

config = {"k_dim": 32, "z_dim": 16, "hidden": 16, "beta": 0.25, "lr": 2e-4, "batch_size": 8, "image_size": 64}


class CelebA(Dataset):
    """Aligned faces of 178 x 218, scaled so that the shorter side is image_size."""

    def __init__(self, n, image_size):
        self.photos = torch.randint(0, 256, (n, 3, 218, 178), dtype=torch.uint8)
        self.image_size = image_size

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, i):
        photo = self.photos[i].float().unsqueeze(0) / 255.0
        _, _, h, w = photo.shape
        size = (int(self.image_size * h / w), self.image_size)
        photo = F.interpolate(photo, size, mode="bilinear", align_corners=False)
        return photo.squeeze(0) * 2 - 1


class ResBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(nn.ReLU(), nn.Conv2d(dim, dim, 3, 1, 1), nn.BatchNorm2d(dim), nn.ReLU(),
                                 nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim))

    def forward(self, x):
        return x + self.net(x)


class Codebook(nn.Module):
    def __init__(self, k, dim):
        super().__init__()
        self.embd = nn.Embedding(k, dim)
        self.embd.weight.data.uniform_(-1.0 / k, 1.0 / k)

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1)
        index = torch.cdist(flat.reshape(-1, flat.shape[-1]), self.embd.weight).argmin(1)
        q = self.embd(index).view(flat.shape).permute(0, 3, 1, 2)
        return q


class Encoder(nn.Module):
    def __init__(self, hidden, z_dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, hidden, 4, 2, 1), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, z_dim, 4, 2, 1), ResBlock(z_dim), ResBlock(z_dim))

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, hidden, z_dim):
        super().__init__()
        self.net = nn.Sequential(
            ResBlock(z_dim), ResBlock(z_dim), nn.ReLU(),
            nn.ConvTranspose2d(z_dim, hidden, 4, 2, 1), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.ConvTranspose2d(hidden, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z):
        return self.net(z)


class Model(nn.Module):
    def __init__(self, k_dim, z_dim, hidden):
        super().__init__()
        self.enc, self.book, self.dec = Encoder(hidden, z_dim), Codebook(k_dim, z_dim), Decoder(hidden, z_dim)

    def forward(self, x):
        z_e = self.enc(x)
        z_q = self.book(z_e)
        out = self.dec(z_e + (z_q - z_e).detach())
        return out, z_e, z_q


class Solver:
    def __init__(self, config):
        self.config = config
        self.loader = DataLoader(CelebA(24, config["image_size"]), config["batch_size"], shuffle=True)
        self.G = Model(config["k_dim"], config["z_dim"], config["hidden"])
        self.optim = torch.optim.Adam(self.G.parameters(), lr=config["lr"])

    def train(self, epochs=1):
        reconst_loss = nn.L1Loss()
        for epoch in range(epochs):
            for x in self.loader:
                out, z_e, z_q = self.G(x)
                loss_rec = reconst_loss(out, x)
                loss_vq = F.mse_loss(z_q, z_e.detach())
                loss_commit = F.mse_loss(z_e, z_q.detach())
                loss = loss_rec + loss_vq + self.config["beta"] * loss_commit
                self.optim.zero_grad()
                loss.backward()
                self.optim.step()
                print(f"epoch {epoch} rec {loss_rec.item():.4f} vq {loss_vq.item():.4f}")


Solver(config).train()
