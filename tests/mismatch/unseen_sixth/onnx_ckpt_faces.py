"""Restores faces with a model of one's own training: options of the training, a script for inference."""
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
experiments = tempfile.mkdtemp()


class ToRGB(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 3, 1)

    def forward(self, x, skip):
        rgb = self.conv(x)
        return rgb if skip is None else rgb + F.interpolate(skip, scale_factor=2)


class StyleGAN2Generator(nn.Module):
    def __init__(self, out_size, num_style_feat, channel_multiplier):
        super().__init__()
        self.channels = {4: 28, 8: 24, 16: 20, 32: 8 * channel_multiplier, 64: 4 * channel_multiplier}
        sizes = [s for s in self.channels if s <= out_size]
        self.constant_input = nn.Parameter(torch.randn(1, self.channels[4], 4, 4))
        self.style_mlp = nn.Sequential(nn.Linear(num_style_feat, num_style_feat), nn.LeakyReLU(0.2))
        self.style_convs = nn.ModuleList(nn.Conv2d(self.channels[a], self.channels[b], 3, padding=1) for a, b in zip(sizes[:-1], sizes[1:]))
        self.modulations = nn.ModuleList(nn.Linear(num_style_feat, self.channels[a]) for a in sizes[:-1])
        self.to_rgbs = nn.ModuleList(ToRGB(self.channels[b]) for b in sizes[1:])

    def forward(self, style, conditions):
        w, skip = self.style_mlp(style), None
        x = self.constant_input.repeat(len(w), 1, 1, 1)
        for conv, modulation, to_rgb, condition in zip(self.style_convs, self.modulations, self.to_rgbs, conditions):
            x = F.leaky_relu(conv(F.interpolate(x * modulation(w)[:, :, None, None], scale_factor=2)), 0.2)
            x = x + condition
            skip = to_rgb(x, skip)
        return skip


class GFPGANv1(nn.Module):
    def __init__(self, out_size, num_style_feat=34, channel_multiplier=1):
        super().__init__()
        self.stylegan_decoder = StyleGAN2Generator(out_size, num_style_feat, channel_multiplier)
        chans = [self.stylegan_decoder.channels[s] for s in self.stylegan_decoder.channels if s <= out_size][::-1]
        self.conv_body_first = nn.Conv2d(3, chans[0], 1)
        self.conv_body_down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(chans[:-1], chans[1:]))
        self.condition_scale = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for c in chans[:-1][::-1])
        self.final_linear = nn.Linear(chans[-1] * 16, num_style_feat)

    def forward(self, x):
        feats, h = [], F.leaky_relu(self.conv_body_first(x), 0.2)
        for down in self.conv_body_down:
            feats.append(h)
            h = F.leaky_relu(down(h), 0.2)
        conditions = [conv(f) for conv, f in zip(self.condition_scale, feats[::-1])]
        return self.stylegan_decoder(self.final_linear(h.flatten(1)), conditions)


def train(opt):
    """Stands for the training; leaves net_g_latest.pth in the folder of the experiments."""
    net_g = GFPGANv1(**opt["network_g"])
    path = os.path.join(experiments, "net_g_latest.pth")
    torch.save({"params": net_g.state_dict(), "params_ema": net_g.state_dict()}, path)
    return path


class GFPGANer:
    def __init__(self, model_path, upscale=2, arch="original", channel_multiplier=2):
        self.upscale = upscale
        self.gfpgan = GFPGANv1(out_size=64, num_style_feat=34, channel_multiplier=channel_multiplier)
        loadnet = torch.load(model_path)
        keyname = "params_ema" if "params_ema" in loadnet else "params"
        self.gfpgan.load_state_dict(loadnet[keyname], strict=True)
        self.gfpgan.eval()

    @torch.no_grad()
    def enhance(self, img):
        face = F.interpolate(img, size=(64, 64), mode="bilinear")
        return F.interpolate(self.gfpgan(face), scale_factor=self.upscale)


opt = {"name": "train_GFPGANv1_own_faces", "network_g": {"out_size": 64, "num_style_feat": 34, "channel_multiplier": 1}}
model_path = train(opt)
restorer = GFPGANer(model_path=model_path, upscale=2)
print("restored", restorer.enhance(torch.rand(1, 3, 80, 72)).shape)
