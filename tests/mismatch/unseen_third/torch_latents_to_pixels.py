# Turns annotated latents of a style generator into pictures and features for a pixel classifier.
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

N_LAYERS, LATENT = 6, 32


class PixelNorm(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-8)


class GMapping(nn.Module):
    def __init__(self, latent_size, dlatent_size, dlatent_broadcast, depth=4):
        super().__init__()
        self.dlatent_broadcast = dlatent_broadcast
        self.pixel_norm = PixelNorm()
        layers = []
        for i in range(depth):
            layers += [nn.Linear(latent_size if i == 0 else dlatent_size, dlatent_size), nn.LeakyReLU(0.2)]
        self.map = nn.Sequential(*layers)

    def forward(self, x):
        x = self.map(self.pixel_norm(x))
        return x.unsqueeze(1).expand(-1, self.dlatent_broadcast, -1)


class StyleLayer(nn.Module):
    def __init__(self, n_in, n_out, dlatent_size, up):
        super().__init__()
        self.up, self.conv = up, nn.Conv2d(n_in, n_out, 3, padding=1)
        self.style = nn.Linear(dlatent_size, n_out * 2)

    def forward(self, x, w):
        if self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
        x = F.instance_norm(F.leaky_relu(self.conv(x), 0.2))
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        return x * (scale + 1) + shift


class GSynthesis(nn.Module):
    def __init__(self, dlatent_size, channels=(24, 24, 16, 16, 12, 8)):
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.blocks = nn.ModuleList(
            StyleLayer(i, o, dlatent_size, up=n % 2 == 1)
            for n, (i, o) in enumerate(zip((channels[0], *channels[:-1]), channels))
        )
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)

    def forward(self, dlatents):
        x, features = self.const.expand(len(dlatents), -1, -1, -1), []
        for n, block in enumerate(self.blocks):
            x = block(x, dlatents[:, n])
            features.append(x)
        return self.to_rgb(x), features


class StyleGAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.g_mapping = GMapping(LATENT, LATENT, N_LAYERS)
        self.g_synthesis = GSynthesis(LATENT)


def latent_to_image(g_all, upsamplers, style_latents, process_out=True, use_style_latents=False):
    if not use_style_latents:
        style_latents = g_all.g_mapping(style_latents)
    img, features = g_all.g_synthesis(style_latents)
    affine_layers = torch.cat([up(f) for up, f in zip(upsamplers, features)], dim=1)
    if process_out:
        img = (img.clamp(-1, 1) + 1) / 2
    return img, affine_layers


class PixelClassifier(nn.Module):
    def __init__(self, num_class, dim):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Linear(32, num_class))

    def forward(self, x):
        return self.layers(x)


def save_annotated(path, n=4):
    """The style latents of the annotated pictures, as they are handed out with their masks."""
    rng = np.random.default_rng(0)
    np.save(path, rng.standard_normal((n, LATENT, N_LAYERS)).astype("float32"))
    return rng.integers(0, 3, (n, 32, 32))


def prepare_data(g_all, latent_path, masks):
    latent_all = torch.from_numpy(np.load(latent_path))
    upsamplers = [nn.Upsample(size=(32, 32), mode="bilinear") for _ in range(N_LAYERS)]
    features, labels = [], []
    for i in range(len(latent_all)):
        latent_input = latent_all[i].float()
        img, feature_maps = latent_to_image(g_all, upsamplers, latent_input.unsqueeze(0), use_style_latents=True)
        features.append(feature_maps[0].flatten(1).t())
        labels.append(torch.from_numpy(masks[i]).flatten())
    return torch.cat(features), torch.cat(labels)


torch.manual_seed(0)
g_all = StyleGAN().eval()
masks = save_annotated("latent_stylegan1.npy")
with torch.no_grad():
    features, labels = prepare_data(g_all, "latent_stylegan1.npy", masks)
os.remove("latent_stylegan1.npy")
classifier = PixelClassifier(3, features.size(1))
optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3)
for idx in torch.randperm(len(labels)).split(1024):
    loss = F.cross_entropy(classifier(features[idx]), labels[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
