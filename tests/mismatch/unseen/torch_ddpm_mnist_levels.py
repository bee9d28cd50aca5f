# A denoising diffusion model for handwritten digits of 28x28.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ResnetBlock(nn.Module):
    def __init__(self, c1, c2, temb):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, c1), nn.Conv2d(c1, c2, 3, padding=1)
        self.time_emb_proj = nn.Linear(temb, c2)
        self.norm2, self.conv2 = nn.GroupNorm(8, c2), nn.Conv2d(c2, c2, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(c1, c2, 1) if c1 != c2 else nn.Identity()

    def forward(self, x, temb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(temb))[:, :, None, None]
        return self.conv2(F.silu(self.norm2(h))) + self.conv_shortcut(x)


class DownBlock(nn.Module):
    def __init__(self, c1, c2, temb, downsample):
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock(c1, c2, temb), ResnetBlock(c2, c2, temb)])
        self.downsampler = nn.Conv2d(c2, c2, 3, stride=2, padding=1) if downsample else None

    def forward(self, x, temb):
        states = []
        for resnet in self.resnets:
            x = resnet(x, temb)
            states.append(x)
        if self.downsampler is not None:
            x = self.downsampler(x)
            states.append(x)
        return x, states


class UpBlock(nn.Module):
    def __init__(self, c_in, c_out, c_skip, temb, upsample):
        super().__init__()
        skips = [c_out, c_out, c_skip]
        self.resnets = nn.ModuleList(
            ResnetBlock((c_in if i == 0 else c_out) + s, c_out, temb) for i, s in enumerate(skips))
        self.upsampler = nn.Conv2d(c_out, c_out, 3, padding=1) if upsample else None

    def forward(self, x, states, temb):
        for resnet in self.resnets:
            x = torch.cat([x, states.pop()], dim=1)
            x = resnet(x, temb)
        if self.upsampler is not None:
            x = self.upsampler(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return x


class UNet2DModel(nn.Module):
    def __init__(self, in_channels=1, out_channels=1, channels=(16, 32, 32, 48), temb=64):
        super().__init__()
        self.temb = temb
        self.conv_in = nn.Conv2d(in_channels, channels[0], 3, padding=1)
        self.time_embedding = nn.Sequential(nn.Linear(temb, temb), nn.SiLU(), nn.Linear(temb, temb))
        n = len(channels)
        self.down_blocks = nn.ModuleList(
            DownBlock(channels[max(i - 1, 0)], channels[i], temb, i < n - 1) for i in range(n))
        self.mid = ResnetBlock(channels[-1], channels[-1], temb)
        rev = channels[::-1]
        self.up_blocks = nn.ModuleList(
            UpBlock(rev[max(i - 1, 0)], rev[i], rev[min(i + 1, n - 1)], temb, i < n - 1) for i in range(n))
        self.conv_norm_out, self.conv_out = nn.GroupNorm(8, channels[0]), nn.Conv2d(channels[0], out_channels, 3, padding=1)

    def forward(self, sample, timestep):
        freq = torch.exp(-math.log(10000) * torch.arange(self.temb // 2) / (self.temb // 2))
        arg = timestep[:, None].float() * freq[None]
        temb = self.time_embedding(torch.cat([arg.sin(), arg.cos()], dim=-1))
        x = self.conv_in(sample)
        skips = [x]
        for block in self.down_blocks:
            x, states = block(x, temb)
            skips += states
        x = self.mid(x, temb)
        for block in self.up_blocks:
            x = block(x, skips, temb)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


torch.manual_seed(0)
T, BATCHS = 1000, 4
alpha_bar = (1 - torch.linspace(1e-4, 0.02, T)).cumprod(0)
model = UNet2DModel(in_channels=1, out_channels=1)
x0 = torch.rand(BATCHS, 1, 28, 28)
t = torch.randint(0, T, (BATCHS,))
eps = torch.randn_like(x0)
a = alpha_bar[t].view(-1, 1, 1, 1)
noisy_hat = model(a.sqrt() * x0 + (1 - a).sqrt() * eps, t)
loss = F.mse_loss(noisy_hat, eps)
loss.backward()
print("loss", loss.item())
