# Fine-tunes a class-conditional generator on two kinds of flowers.
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F


class ConditionalBN(nn.Module):
    def __init__(self, output_size, input_size):
        super().__init__()
        self.gain, self.bias = nn.Linear(input_size, output_size, bias=False), nn.Linear(input_size, output_size, bias=False)
        self.bn = nn.BatchNorm2d(output_size, affine=False)

    def forward(self, x, y):
        return self.bn(x) * (1 + self.gain(y)).view(y.size(0), -1, 1, 1) + self.bias(y).view(y.size(0), -1, 1, 1)


class GBlock(nn.Module):
    def __init__(self, i, o, y_dim):
        super().__init__()
        self.bn1, self.bn2 = ConditionalBN(i, y_dim), ConditionalBN(o, y_dim)
        self.conv1, self.conv2 = nn.Conv2d(i, o, 3, padding=1), nn.Conv2d(o, o, 3, padding=1)
        self.conv_sc = nn.Conv2d(i, o, 1)

    def forward(self, x, y):
        h = F.interpolate(F.relu(self.bn1(x, y)), scale_factor=2)
        h = self.conv2(F.relu(self.bn2(self.conv1(h), y)))
        return h + self.conv_sc(F.interpolate(x, scale_factor=2))


class Generator(nn.Module):
    def __init__(self, G_ch=16, dim_z=40, shared_dim=32, n_classes=1000):
        super().__init__()
        self.shared = nn.Embedding(n_classes, shared_dim)
        y_dim = shared_dim + dim_z // 4
        self.linear = nn.Linear(dim_z // 4, G_ch * 4 * 4 * 4)
        chans = [G_ch * 4, G_ch * 2, G_ch, G_ch]
        self.blocks = nn.ModuleList(GBlock(i, o, y_dim) for i, o in zip(chans[:-1], chans[1:]))
        self.output = nn.Sequential(nn.BatchNorm2d(G_ch), nn.ReLU(), nn.Conv2d(G_ch, 3, 3, padding=1))

    def forward(self, z, y):
        zs = torch.split(z, z.size(1) // 4, 1)
        h = self.linear(zs[0]).view(z.size(0), -1, 4, 4)
        for block, part in zip(self.blocks, zs[1:]):
            h = block(h, torch.cat([self.shared(y), part], 1))
        return torch.tanh(self.output(h))


def load_weights(G, folder, name):
    print(f"Loading weights from {folder}...")
    G.load_state_dict(torch.load(os.path.join(folder, f"{name}.pth"), weights_only=True), strict=False)


torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    torch.save(Generator().state_dict(), os.path.join(folder, "G_ema.pth"))
    G = Generator(n_classes=2)
    load_weights(G, folder, "G_ema")
images = G(torch.randn(4, 40), torch.tensor([0, 1, 1, 0]))
loss = images.square().mean()
loss.backward()
print(tuple(images.shape))
