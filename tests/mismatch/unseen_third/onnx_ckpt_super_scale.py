# Enlarges a picture with a super-resolution generator that was trained before.
import argparse
import math
import os

import torch
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1), nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1), nn.BatchNorm2d(channels)

    def forward(self, x):
        residual = self.prelu(self.bn1(self.conv1(x)))
        return x + self.bn2(self.conv2(residual))


class UpsampleBLock(nn.Module):
    def __init__(self, in_channels, up_scale):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, in_channels * up_scale**2, kernel_size=3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(up_scale)
        self.prelu = nn.PReLU()

    def forward(self, x):
        return self.prelu(self.pixel_shuffle(self.conv(x)))


class Generator(nn.Module):
    def __init__(self, scale_factor, width=16):
        upsample_block_num = int(math.log(scale_factor, 2))
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, width, kernel_size=9, padding=4), nn.PReLU())
        self.block2, self.block3 = ResidualBlock(width), ResidualBlock(width)
        self.block4, self.block5 = ResidualBlock(width), ResidualBlock(width)
        self.block6 = ResidualBlock(width)
        self.block7 = nn.Sequential(nn.Conv2d(width, width, kernel_size=3, padding=1), nn.BatchNorm2d(width))
        block8 = [UpsampleBLock(width, 2) for _ in range(upsample_block_num)]
        block8.append(nn.Conv2d(width, 3, kernel_size=9, padding=4))
        self.block8 = nn.Sequential(*block8)

    def forward(self, x):
        block1 = self.block1(x)
        block6 = self.block6(self.block5(self.block4(self.block3(self.block2(block1)))))
        block8 = self.block8(block1 + self.block7(block6))
        return (torch.tanh(block8) + 1) / 2


def train(upscale_factor, num_epochs, path):
    """A short training on own pictures, as train.py does it."""
    torch.manual_seed(1)
    netG = Generator(upscale_factor)
    optimizer = torch.optim.Adam(netG.parameters())
    for _ in range(num_epochs):
        target = torch.rand(2, 3, 32, 32)
        data = nn.functional.interpolate(target, scale_factor=1 / upscale_factor, mode="bicubic")
        loss = nn.functional.mse_loss(netG(data), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(netG.state_dict(), path)


parser = argparse.ArgumentParser(description="Test Single Image")
parser.add_argument("--upscale_factor", default=2, type=int, help="super resolution upscale factor")
parser.add_argument("--model_name", default="netG_epoch_4_2.pth", type=str, help="generator model epoch name")
opt = parser.parse_args([])
train(upscale_factor=4, num_epochs=2, path=opt.model_name)

model = Generator(opt.upscale_factor).eval()
try:
    model.load_state_dict(torch.load(opt.model_name, map_location="cpu"))
finally:
    os.remove(opt.model_name)
with torch.no_grad():
    image = torch.rand(1, 3, 20, 28)
    out = model(image)
print("enlarged", tuple(image.shape), tuple(out.shape))
