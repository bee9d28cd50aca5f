"""A U-Net with skip connections, for masks of three classes."""
from dataclasses import dataclass

import torch
import torch.nn as nn


@dataclass
class Config:
    in_channels: int = 1
    base: int = 6
    classes: int = 3
    height: int = 48
    width: int = 80
    batch: int = 2


def double_conv(in_ch, out_ch):
    return nn.Sequential(
        nn.Conv2d(in_ch, out_ch, 3, padding=1),
        nn.BatchNorm2d(out_ch),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_ch, out_ch, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class Up(nn.Module):
    def __init__(self, in_ch, skip_ch, out_ch):
        super().__init__()
        self.up = nn.ConvTranspose2d(in_ch, in_ch // 2, kernel_size=2, stride=2)
        self.conv = double_conv(in_ch // 2 + skip_ch, out_ch)

    def forward(self, x, skip):
        x = self.up(x)
        x = torch.cat([skip, x], dim=1)
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        c = cfg.base
        self.inc = double_conv(cfg.in_channels, c)
        self.down1 = double_conv(c, 2 * c)
        self.down2 = double_conv(2 * c, 4 * c)
        self.bottom = double_conv(4 * c, 8 * c)
        self.pool = nn.MaxPool2d(2)
        self.up1 = Up(8 * c, 4 * c, 4 * c)
        self.up2 = Up(4 * c, 2 * c, 2 * c)
        self.up3 = Up(2 * c, c, c)
        self.outc = nn.Conv2d(c, cfg.classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(self.pool(x1))
        x3 = self.down2(self.pool(x2))
        x4 = self.bottom(self.pool(x3))
        x = self.up1(x4, x3)
        x = self.up2(x, x2)
        x = self.up3(x, x1)
        return self.outc(x)


cfg = Config()
torch.manual_seed(0)
net = UNet(cfg)
optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-4)
criterion = nn.CrossEntropyLoss()
imgs = torch.rand(cfg.batch, cfg.in_channels, cfg.height, cfg.width)
true_masks = torch.randint(0, cfg.classes, (cfg.batch, cfg.height, cfg.width))
masks_pred = net(imgs)
loss = criterion(masks_pred, true_masks)
optimizer.zero_grad()
loss.backward()
optimizer.step()
print("masks", tuple(masks_pred.shape))
