"""Conditional flow matching for gray scans: a U-Net velocity field, one training loop."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


def normalization(channels):
    return nn.GroupNorm(8, channels)


class ResBlock(nn.Module):
    def __init__(self, channels, emb_channels, out_channels):
        super().__init__()
        self.in_layers = nn.Sequential(normalization(channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb_channels, out_channels))
        self.out_layers = nn.Sequential(normalization(out_channels), nn.SiLU(), nn.Conv2d(out_channels, out_channels, 3, padding=1))
        self.skip = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()

    def forward(self, x, emb):
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip(x) + self.out_layers(h)


class UNetModel(nn.Module):
    def __init__(self, dim, num_channels, num_res_blocks, channel_mult=None):
        super().__init__()
        in_channels, image_size = dim[0], dim[-1]
        if channel_mult is None:
            if image_size == 128:
                channel_mult = (0.5, 1, 2, 2)
            elif image_size == 64:
                channel_mult = (1, 2, 2, 4)
            elif image_size == 32:
                channel_mult = (1, 2, 2)
            elif image_size == 28:
                channel_mult = (1, 2, 2)
            else:
                raise ValueError(f"unsupported image size: {image_size}")
        self.model_channels = num_channels
        emb = num_channels * 4
        self.time_embed = nn.Sequential(nn.Linear(num_channels, emb), nn.SiLU(), nn.Linear(emb, emb))
        ch = int(channel_mult[0] * num_channels)
        self.input = nn.Conv2d(in_channels, ch, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        chans = [ch]
        for level, mult in enumerate(channel_mult):
            for _ in range(num_res_blocks):
                self.down.append(ResBlock(ch, emb, int(mult * num_channels)))
                ch = int(mult * num_channels)
                chans.append(ch)
            if level != len(channel_mult) - 1:
                self.down.append(nn.Conv2d(ch, ch, 3, stride=2, padding=1))
                chans.append(ch)
        self.middle = ResBlock(ch, emb, ch)
        for level, mult in list(enumerate(channel_mult))[::-1]:
            for i in range(num_res_blocks + 1):
                self.up.append(ResBlock(ch + chans.pop(), emb, int(mult * num_channels)))
                ch = int(mult * num_channels)
                if level and i == num_res_blocks:
                    self.up.append(nn.Upsample(scale_factor=2))
        self.out = nn.Sequential(normalization(ch), nn.SiLU(), nn.Conv2d(ch, in_channels, 3, padding=1))

    def forward(self, t, x):
        half = self.model_channels // 2
        freqs = torch.exp(-4 * torch.arange(half) / half)
        emb = self.time_embed(torch.cat([torch.cos(t[:, None] * freqs), torch.sin(t[:, None] * freqs)], -1))
        h = self.input(x)
        hs = [h]
        for m in self.down:
            h = m(h, emb) if isinstance(m, ResBlock) else m(h)
            hs.append(h)
        h = self.middle(h, emb)
        for m in self.up:
            h = m(torch.cat([h, hs.pop()], 1), emb) if isinstance(m, ResBlock) else m(h)
        return self.out(h)


def scans(n, size):
    """Gray pictures with a bright disc."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    r = torch.rand(n, 1, 1, 1) * 0.5 + 0.2
    return ((x ** 2 + y ** 2)[None, None] < r ** 2).float() * 2 - 1


model = UNetModel(dim=(1, 128, 128), num_channels=8, num_res_blocks=1)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
print("parameters", sum(p.numel() for p in model.parameters()))
for step in range(2):
    x1 = scans(3, 128)
    x0 = torch.randn_like(x1)
    t = torch.rand(len(x1))
    tt = t[:, None, None, None]
    xt, ut = (1 - tt) * x0 + tt * x1, x1 - x0
    vt = model(t, xt)
    loss = F.mse_loss(vt, ut)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item():.4f}")
