"""Latent diffusion on microscopy: the first stage is the autoencoder that was trained in the step before."""
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
logdir = tempfile.mkdtemp()

# configs/autoencoder/autoencoder_kl_16x16x16.yaml
autoencoder_config = {
    "embed_dim": 4,
    "ddconfig": {"z_channels": 4, "in_channels": 3, "out_ch": 3, "ch": 8, "ch_mult": (1, 1, 2, 2, 4),
                 "num_res_blocks": 1, "resolution": 64},
}

# configs/latent-diffusion/cin-ldm-vq-f8.yaml, with the path of the checkpoint
ldm_config = {
    "image_size": 8,
    "channels": 4,
    "first_stage_config": {
        "ckpt_path": os.path.join(logdir, "last.ckpt"),
        "embed_dim": 4,
        "ddconfig": {"z_channels": 4, "in_channels": 3, "out_ch": 3, "ch": 8, "ch_mult": (1, 2, 2, 4),
                     "num_res_blocks": 1, "resolution": 64},
    },
    "unet_config": {"in_channels": 4, "model_channels": 16},
}


class ResnetBlock(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(4, in_channels), nn.GroupNorm(4, out_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        return self.nin_shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Level(nn.Module):
    def __init__(self, in_channels, out_channels, num_res_blocks, resample):
        super().__init__()
        self.block = nn.ModuleList(
            ResnetBlock(in_channels if i == 0 else out_channels, out_channels) for i in range(num_res_blocks))
        self.conv = nn.Conv2d(out_channels, out_channels, 3, stride=2 if resample == "down" else 1, padding=1)
        self.resample = resample

    def forward(self, x):
        for block in self.block:
            x = block(x)
        if self.resample == "up":
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(x)


class Encoder(nn.Module):
    def __init__(self, ch, ch_mult, num_res_blocks, in_channels, z_channels, **ignored):
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, ch, 3, padding=1)
        sizes = [ch * m for m in (1, *ch_mult)]
        last = len(ch_mult) - 1
        self.down = nn.ModuleList(
            Level(sizes[i], sizes[i + 1], num_res_blocks, "down" if i != last else "") for i in range(len(ch_mult)))
        self.conv_out = nn.Conv2d(sizes[-1], z_channels, 3, padding=1)

    def forward(self, x):
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
        return self.conv_out(F.silu(h))


class Decoder(nn.Module):
    def __init__(self, ch, ch_mult, num_res_blocks, z_channels, out_ch, **ignored):
        super().__init__()
        sizes = [ch * m for m in (1, *ch_mult)][::-1]
        self.conv_in = nn.Conv2d(z_channels, sizes[0], 3, padding=1)
        last = len(ch_mult) - 1
        self.up = nn.ModuleList(
            Level(sizes[i], sizes[i + 1], num_res_blocks, "up" if i != last else "") for i in range(len(ch_mult)))
        self.conv_out = nn.Conv2d(sizes[-1], out_ch, 3, padding=1)

    def forward(self, z):
        h = self.conv_in(z)
        for level in self.up:
            h = level(h)
        return self.conv_out(F.silu(h))


class Autoencoder(nn.Module):
    def __init__(self, ddconfig, embed_dim, ckpt_path=None):
        super().__init__()
        self.encoder, self.decoder = Encoder(**ddconfig), Decoder(**ddconfig)
        self.quant_conv = nn.Conv2d(ddconfig["z_channels"], embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, ddconfig["z_channels"], 1)
        if ckpt_path is not None:
            self.init_from_ckpt(ckpt_path)

    def init_from_ckpt(self, path):
        sd = torch.load(path, map_location="cpu")["state_dict"]
        self.load_state_dict(sd, strict=False)
        print(f"Restored from {os.path.basename(path)}")

    def encode(self, x):
        return self.quant_conv(self.encoder(x))

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))


def train_autoencoder(config, steps=2):
    model = Autoencoder(**config)
    optimizer = torch.optim.Adam(model.parameters(), lr=4.5e-6)
    for _ in range(steps):
        x = torch.rand(2, 3, 64, 64)
        loss = F.l1_loss(model.decode(model.encode(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save({"state_dict": model.state_dict(), "global_step": steps}, os.path.join(logdir, "last.ckpt"))


class LatentDiffusion(nn.Module):
    def __init__(self, first_stage_config, unet_config, image_size, channels):
        super().__init__()
        self.first_stage_model = Autoencoder(**first_stage_config).eval()
        self.image_size, self.channels = image_size, channels
        c, m = unet_config["in_channels"], unet_config["model_channels"]
        self.model = nn.Sequential(nn.Conv2d(c, m, 3, padding=1), nn.SiLU(), nn.Conv2d(m, c, 3, padding=1))

    def forward(self, x):
        with torch.no_grad():
            z = self.first_stage_model.encode(x)
        noise = torch.randn(len(x), self.channels, self.image_size, self.image_size)
        return F.mse_loss(self.model(z + noise), noise)


train_autoencoder(autoencoder_config)
ldm = LatentDiffusion(**ldm_config)
optimizer = torch.optim.AdamW(ldm.model.parameters(), lr=1e-6)
for step in range(2):
    loss = ldm(torch.rand(2, 3, 64, 64))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("step", step, "loss", loss.item())
