"""A GAN that learns 3D microstructures from one 2D micrograph: slices of the volume are judged in 2D."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(0)
torch.manual_seed(0)

image_type = "nphase"  # nphase, grayscale
img_size, scale_factor, z_channels, lz = 32, 1, 10, 4
img_channels = 3  # pore, particle, binder
batch_size, D_batch_size = 4, 6


def read_micrograph(side=150):
    """The scan of an electrode as 8 bit gray values, with the noise of the detector."""
    y, x = np.mgrid[0:side, 0:side]
    field = np.sin(x / 7.0) + np.cos(y / 9.0) + 0.5 * np.sin((x + y) / 5.0)
    levels = np.digitize(field, [-0.6, 0.7])
    img = np.array([30, 120, 220])[levels] + np.random.normal(0, 6, (side, side))
    return np.clip(img, 0, 255).astype(np.uint8)


def batch(data, data_type, l, sf, n=12):
    """Random crops of the picture; of an n-phase one each phase becomes a channel."""
    if data_type == "grayscale":
        img = data[::sf, ::sf].astype(np.float32)[None] / 255
    else:
        img = data[::sf, ::sf]
        phases = np.unique(img)
        img = np.stack([(img == p).astype(np.float32) for p in phases])
    crops = np.empty((n, img.shape[0], l, l), dtype=np.float32)
    for i in range(n):
        x, y = np.random.randint(0, img.shape[1] - l), np.random.randint(0, img.shape[2] - l)
        crops[i] = img[:, x:x + l, y:y + l]
    return TensorDataset(torch.from_numpy(crops))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        chans = (z_channels, 40, 20, 12)
        self.convs = nn.ModuleList(nn.ConvTranspose3d(i, o, 4, 2, 1) for i, o in zip(chans[:-1], chans[1:]))
        self.bns = nn.ModuleList(nn.BatchNorm3d(o) for o in chans[1:])
        self.last = nn.Conv3d(chans[-1], img_channels, 3, padding=1)

    def forward(self, x):
        for conv, bn in zip(self.convs, self.bns):
            x = torch.relu(bn(conv(x)))
        x = self.last(x)
        return torch.softmax(x, 1) if image_type == "nphase" else torch.sigmoid(x)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        chans = (img_channels, 16, 24, 36, 1)
        self.convs = nn.ModuleList()
        for k, (i, o) in enumerate(zip(chans[:-1], chans[1:])):
            self.convs.append(nn.Conv2d(i, o, 4, 2, 1 if k < 3 else 0))

    def forward(self, x):
        for conv in self.convs[:-1]:
            x = torch.relu_(conv(x))
        return self.convs[-1](x)


def slices(volume):
    """(B, C, l, l, l) -> (B * l, C, l, l), cut along the first axis."""
    b, c, l = volume.shape[:3]
    return volume.permute(0, 2, 1, 3, 4).reshape(b * l, c, l, l)


dataset = batch(read_micrograph(), image_type, img_size, scale_factor)
loader = DataLoader(dataset, batch_size=D_batch_size, shuffle=True)
netG, netD = Generator(), Discriminator()
optG = torch.optim.Adam(netG.parameters(), lr=1e-4, betas=(0.0, 0.9))
optD = torch.optim.Adam(netD.parameters(), lr=1e-4, betas=(0.0, 0.9))

for i, (real,) in enumerate(loader):
    noise = torch.randn(1, z_channels, lz, lz, lz)
    fake = slices(netG(noise))[:D_batch_size]
    out_real = netD(real).view(-1).mean()
    out_fake = netD(fake.detach()).mean()
    disc_cost = out_fake - out_real
    optD.zero_grad()
    disc_cost.backward()
    optD.step()
    gen_cost = -netD(slices(netG(noise))).mean()
    optG.zero_grad()
    gen_cost.backward()
    optG.step()
    print(i, disc_cost.item(), gen_cost.item())
