# Trains a diffusion model of raw audio with a one-dimensional U-Net whose skips are scaled by the step.
import torch
import torch.nn as nn
import torch.nn.functional as F


class ResnetItem(nn.Module):
    def __init__(self, channels, features, groups=4):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, channels), nn.Conv1d(channels, channels, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, channels), nn.Conv1d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(features, channels * 2)

    def forward(self, x, features):
        scale, shift = self.modulation(F.silu(features)).unsqueeze(-1).chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return x + h


class MergeModulate(nn.Module):
    def __init__(self, channels, features):
        super().__init__()
        self.to_scale = nn.Linear(features, channels)

    def forward(self, x, y, features):
        scale = self.to_scale(F.silu(features)).unsqueeze(-1)
        return x + scale * y


class Block(nn.Module):
    """One level: down, items, the levels below, items, up, merged with what came in."""

    def __init__(self, n_in, channels, factor, items, features, inner):
        super().__init__()
        self.down = nn.Conv1d(n_in, channels, factor * 2 + 1, stride=factor, padding=factor)
        self.items_down = nn.ModuleList(ResnetItem(channels, features) for _ in range(items))
        self.inner = inner
        self.items_up = nn.ModuleList(ResnetItem(channels, features) for _ in range(items))
        self.up = nn.Sequential(nn.Upsample(scale_factor=factor), nn.Conv1d(channels, n_in, 3, padding=1))
        self.skip = MergeModulate(n_in, features)

    def forward(self, x, features):
        h = self.down(x)
        for item in self.items_down:
            h = item(h, features)
        if self.inner is not None:
            h = self.inner(h, features)
        for item in self.items_up:
            h = item(h, features)
        return self.skip(x, self.up(h), features)


class UNetV0(nn.Module):
    def __init__(self, in_channels, channels, factors, items, features=32):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(1, features), nn.SiLU(), nn.Linear(features, features))
        self.to_in = nn.Conv1d(in_channels, channels[0], 1)
        block = None
        for i in reversed(range(len(channels))):
            n_in = channels[i - 1] if i else channels[0]
            block = Block(n_in, channels[i], factors[i], items[i], features, block)
        self.block = block
        self.to_out = nn.Conv1d(channels[0], in_channels, 1)

    def forward(self, x, sigmas):
        features = self.time(sigmas[:, None])
        return self.to_out(self.block(self.to_in(x), features))


class VDiffusion(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        sigmas = torch.rand(len(x))
        alphas, betas = torch.cos(sigmas * torch.pi / 2), torch.sin(sigmas * torch.pi / 2)
        noise = torch.randn_like(x)
        x_noisy = alphas[:, None, None] * x + betas[:, None, None] * noise
        v_target = alphas[:, None, None] * noise - betas[:, None, None] * x
        return F.mse_loss(self.net(x_noisy, sigmas), v_target)


def clips(n, seconds, rate):
    t = torch.arange(int(seconds * rate)) / rate
    pitch = torch.rand(n, 1, 1) * 400 + 100
    return torch.sin(2 * torch.pi * pitch * t)


def create_model():
    return VDiffusion(
        UNetV0(
            in_channels=1,
            channels=[8, 8, 12, 16, 16, 24, 24],
            factors=[1, 4, 4, 4, 2, 2, 2],
            items=[1, 1, 1, 1, 1, 1, 2],
        )
    )


torch.manual_seed(0)
audio = clips(8, seconds=1.2, rate=4000)
model = create_model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
for batch in audio.split(4):
    loss = model(batch)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
