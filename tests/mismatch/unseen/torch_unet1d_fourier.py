# A one-dimensional denoiser for robot trajectories, with Gaussian Fourier features of the noise level.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class GaussianFourierProjection(nn.Module):
    def __init__(self, embedding_size=256, scale=1.0, log=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(embedding_size) * scale, requires_grad=False)
        self.log = log

    def forward(self, x):
        if self.log:
            x = torch.log(x)
        x_proj = x[:, None] * self.weight[None, :] * 2 * math.pi
        return torch.cat([torch.sin(x_proj), torch.cos(x_proj)], dim=-1)


class TimestepEmbedding(nn.Module):
    def __init__(self, in_channels, time_embed_dim):
        super().__init__()
        self.linear_1 = nn.Linear(in_channels, time_embed_dim)
        self.act = nn.SiLU()
        self.linear_2 = nn.Linear(time_embed_dim, time_embed_dim)

    def forward(self, sample):
        return self.linear_2(self.act(self.linear_1(sample)))


class ResidualTemporalBlock1D(nn.Module):
    def __init__(self, inp, out, embed_dim, kernel=5):
        super().__init__()
        self.conv_in = nn.Sequential(nn.Conv1d(inp, out, kernel, padding=kernel // 2), nn.GroupNorm(8, out), nn.Mish())
        self.time_emb = nn.Linear(embed_dim, out)
        self.conv_out = nn.Sequential(nn.Conv1d(out, out, kernel, padding=kernel // 2), nn.GroupNorm(8, out), nn.Mish())
        self.residual_conv = nn.Conv1d(inp, out, 1) if inp != out else nn.Identity()

    def forward(self, x, t):
        out = self.conv_in(x) + self.time_emb(F.mish(t)).unsqueeze(-1)
        return self.conv_out(out) + self.residual_conv(x)


class UNet1DModel(nn.Module):
    def __init__(self, in_channels=2, out_channels=2, block_out_channels=(32, 32, 64)):
        super().__init__()
        self.time_proj = GaussianFourierProjection(embedding_size=8)
        timestep_input_dim = 2 * block_out_channels[0]
        time_embed_dim = block_out_channels[0] * 4
        self.time_mlp = TimestepEmbedding(timestep_input_dim, time_embed_dim)
        self.down_blocks = nn.ModuleList()
        c = in_channels
        for out in block_out_channels:
            self.down_blocks.append(ResidualTemporalBlock1D(c, out, time_embed_dim))
            c = out
        self.downsample = nn.MaxPool1d(2)
        self.mid_block = ResidualTemporalBlock1D(c, c, time_embed_dim)
        self.up_blocks = nn.ModuleList()
        for out in reversed(block_out_channels):
            self.up_blocks.append(ResidualTemporalBlock1D(c + out, out, time_embed_dim))
            c = out
        self.out_block = nn.Conv1d(c, out_channels, 1)

    def forward(self, sample, timestep):
        t = self.time_mlp(self.time_proj(timestep))
        skips = []
        for block in self.down_blocks:
            sample = block(sample, t)
            skips.append(sample)
            sample = self.downsample(sample)
        sample = self.mid_block(sample, t)
        for block in self.up_blocks:
            skip = skips.pop()
            sample = F.interpolate(sample, size=skip.shape[-1])
            sample = block(torch.cat([sample, skip], dim=1), t)
        return self.out_block(sample)


torch.manual_seed(0)
unet = UNet1DModel(in_channels=7, out_channels=7)
trajectories = torch.randn(6, 7, 90)
sigma = torch.rand(6) + 0.01
noise = torch.randn_like(trajectories)
predicted = unet(trajectories + sigma[:, None, None] * noise, sigma)
loss = F.mse_loss(predicted, noise)
loss.backward()
print("loss", loss.item())
