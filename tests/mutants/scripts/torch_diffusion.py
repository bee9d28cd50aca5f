"""Denoising diffusion: a small U-Net with time embeddings and attention in the middle."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

TIMESTEPS = 50


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        emb = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        emb = t[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class ResBlock(nn.Module):
    def __init__(self, dim, dim_out, time_emb_dim, groups=2):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_emb_dim, dim_out * 2))
        self.norm = nn.GroupNorm(groups, dim_out)
        self.conv1 = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1)
        self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x, time_emb):
        scale, shift = self.mlp(time_emb)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(self.conv1(x)) * (scale + 1) + shift
        return self.conv2(F.silu(h)) + self.res_conv(x)


class LinearAttention(nn.Module):
    def __init__(self, dim, heads=2, dim_head=7):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Conv2d(dim, heads * dim_head * 3, 1, bias=False)
        self.to_out = nn.Conv2d(heads * dim_head, dim, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = (t.reshape(b, self.heads, -1, h * w) for t in self.to_qkv(x).chunk(3, dim=1))
        context = torch.einsum("bhdn,bhen->bhde", k.softmax(dim=-1), v)
        out = torch.einsum("bhde,bhdn->bhen", context, q.softmax(dim=-2))
        return self.to_out(out.reshape(b, -1, h, w))


class Unet(nn.Module):
    def __init__(self, dim=8, channels=3, dim_mults=(1, 2)):
        super().__init__()
        time_dim = dim * 4
        self.time_mlp = nn.Sequential(SinusoidalPosEmb(dim), nn.Linear(dim, time_dim), nn.GELU(), nn.Linear(time_dim, time_dim))
        self.init_conv = nn.Conv2d(channels, dim, 7, padding=3)
        self.down1 = ResBlock(dim, dim * dim_mults[0], time_dim)
        self.down2 = ResBlock(dim * dim_mults[0], dim * dim_mults[1], time_dim)
        self.downsample = nn.Conv2d(dim * dim_mults[1], dim * dim_mults[1], 4, 2, 1)
        self.mid = ResBlock(16, 16, time_dim)
        self.attn = LinearAttention(16)
        self.upsample = nn.ConvTranspose2d(16, 16, 4, 2, 1)
        self.up1 = ResBlock(16 + 16, 8, time_dim)
        self.up2 = ResBlock(8 + dim, dim, time_dim)
        self.final = nn.Conv2d(dim, channels, 1)

    def forward(self, x, time):
        t = self.time_mlp(time)
        x = self.init_conv(x)
        h1 = self.down1(x, t)
        h2 = self.down2(h1, t)
        x = self.attn(self.mid(self.downsample(h2), t))
        x = self.up1(torch.cat((self.upsample(x), h2), dim=1), t)
        x = self.up2(torch.cat((x, h1), dim=1), t)
        return self.final(x)


def q_sample(x_start, t, noise):
    a = alphas_cumprod.gather(-1, t).reshape(x_start.shape[0], 1, 1, 1)
    return a.sqrt() * x_start + (1 - a).sqrt() * noise


torch.manual_seed(0)
alphas_cumprod = torch.cumprod(1.0 - torch.linspace(1e-4, 0.02, TIMESTEPS), dim=0)
model = Unet()
x0 = torch.rand(5, 3, 12, 20)
t = torch.randint(0, TIMESTEPS, (5,)).long()
noise = torch.randn_like(x0)
predicted = model(q_sample(x0, t, noise), t)
loss = F.smooth_l1_loss(noise, predicted)
loss.backward()
print("predicted", tuple(predicted.shape))
