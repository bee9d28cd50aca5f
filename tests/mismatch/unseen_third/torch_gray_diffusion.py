# Trains a diffusion model on gray pictures and draws samples of it.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        half = self.dim // 2
        emb = torch.exp(torch.arange(half, device=x.device) * -(math.log(10000) / (half - 1)))
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class ResnetBlock(nn.Module):
    def __init__(self, dim, dim_out, time_dim, groups=4):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim_out * 2))
        self.proj1, self.norm1 = nn.Conv2d(dim, dim_out, 3, padding=1), nn.GroupNorm(groups, dim_out)
        self.proj2, self.norm2 = nn.Conv2d(dim_out, dim_out, 3, padding=1), nn.GroupNorm(groups, dim_out)
        self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x, t):
        scale, shift = self.mlp(t)[:, :, None, None].chunk(2, dim=1)
        h = F.silu(self.norm1(self.proj1(x)) * (scale + 1) + shift)
        h = F.silu(self.norm2(self.proj2(h)))
        return h + self.res_conv(x)


class Unet(nn.Module):
    def __init__(self, dim, dim_mults=(1, 2, 4), channels=3):
        super().__init__()
        self.channels = channels
        self.init_conv = nn.Conv2d(channels, dim, 7, padding=3)
        dims = [dim, *(dim * m for m in dim_mults)]
        in_out = list(zip(dims[:-1], dims[1:]))
        time_dim = dim * 4
        self.time_mlp = nn.Sequential(SinusoidalPosEmb(dim), nn.Linear(dim, time_dim), nn.GELU(),
                                      nn.Linear(time_dim, time_dim))
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for i, o in in_out:
            self.downs.append(nn.ModuleList([ResnetBlock(i, i, time_dim), nn.Conv2d(i, o, 4, 2, 1)]))
        self.mid = ResnetBlock(dims[-1], dims[-1], time_dim)
        for i, o in reversed(in_out):
            self.ups.append(nn.ModuleList([nn.ConvTranspose2d(o, i, 4, 2, 1), ResnetBlock(i * 2, i, time_dim)]))
        self.final_conv = nn.Conv2d(dim, channels, 1)

    def forward(self, x, time):
        x = self.init_conv(x)
        t = self.time_mlp(time)
        h = []
        for block, downsample in self.downs:
            x = block(x, t)
            h.append(x)
            x = downsample(x)
        x = self.mid(x, t)
        for upsample, block in self.ups:
            x = upsample(x)
            x = block(torch.cat((x, h.pop()), dim=1), t)
        return self.final_conv(x)


class GaussianDiffusion(nn.Module):
    def __init__(self, denoise_fn, *, image_size, channels=3, timesteps=1000):
        super().__init__()
        self.channels, self.image_size, self.num_timesteps = channels, image_size, timesteps
        self.denoise_fn = denoise_fn
        betas = torch.linspace(1e-4, 0.02, timesteps)
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_cumprod", torch.cumprod(1.0 - betas, dim=0))

    def q_sample(self, x_start, t, noise):
        a = self.alphas_cumprod[t][:, None, None, None]
        return a.sqrt() * x_start + (1 - a).sqrt() * noise

    def forward(self, img):
        t = torch.randint(0, self.num_timesteps, (img.shape[0],), device=img.device)
        noise = torch.randn_like(img)
        return F.l1_loss(self.denoise_fn(self.q_sample(img * 2 - 1, t, noise), t), noise)

    @torch.no_grad()
    def sample(self, batch_size=16):
        shape = (batch_size, self.channels, self.image_size, self.image_size)
        img = torch.randn(shape, device=self.betas.device)
        for i in reversed(range(self.num_timesteps)):
            t = torch.full((batch_size,), i, dtype=torch.long)
            eps = self.denoise_fn(img, t)
            beta, a = self.betas[i], self.alphas_cumprod[i]
            img = (img - beta / (1 - a).sqrt() * eps) / (1 - beta).sqrt()
            if i > 0:
                img = img + beta.sqrt() * torch.randn_like(img)
        return (img + 1) * 0.5


torch.manual_seed(0)
model = Unet(dim=8, dim_mults=(1, 2, 4), channels=1)
diffusion = GaussianDiffusion(model, image_size=32, timesteps=20)
opt = torch.optim.Adam(diffusion.parameters(), lr=2e-4)
for step in range(3):
    training_images = torch.rand(4, 1, 32, 32)
    loss = diffusion(training_images)
    opt.zero_grad()
    loss.backward()
    opt.step()
sampled_images = diffusion.sample(batch_size=2)
print("loss", round(loss.item(), 3), "samples", tuple(sampled_images.shape))
