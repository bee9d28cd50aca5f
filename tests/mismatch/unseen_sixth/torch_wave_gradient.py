"""Vocoder by diffusion: the noise of a waveform segment is estimated from its mel spectrogram."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Config:
    # data
    sample_rate = 16000
    n_mels = 20
    n_fft = 96
    hop_length = 24
    segment_length = 500
    # model
    factors = [4, 3, 2]
    upsampling_preconv_out_channels = 40
    upsampling_out_channels = [32, 26, 14]
    downsampling_preconv_out_channels = 10
    downsampling_out_channels = [16, 28]
    # training
    batch_size = 5
    lr = 1e-3
    n_iter = 50


class FiLM(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.signal_conv = nn.Conv1d(in_channels, in_channels, 3, padding=1)
        self.scale_conv = nn.Conv1d(in_channels, out_channels, 3, padding=1)
        self.shift_conv = nn.Conv1d(in_channels, out_channels, 3, padding=1)

    def forward(self, x, level):
        x = F.leaky_relu(self.signal_conv(x), 0.2) + level[:, None, None]
        return self.scale_conv(x), self.shift_conv(x)


class UpsamplingBlock(nn.Module):
    def __init__(self, in_channels, out_channels, factor):
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv1d(in_channels, out_channels, 3, padding=1)
        self.modulated = nn.Conv1d(out_channels, out_channels, 3, padding=1)

    def forward(self, x, scale, shift):
        h = self.conv(F.interpolate(F.leaky_relu(x, 0.2), scale_factor=self.factor))
        return h + self.modulated(F.leaky_relu(scale * h + shift, 0.2))


class DownsamplingBlock(nn.Module):
    def __init__(self, in_channels, out_channels, factor):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, factor * 2 + 1, stride=factor, padding=factor)

    def forward(self, x):
        return F.leaky_relu(self.conv(x), 0.2)


class WaveGradNN(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = config
        self.ublock_preconv = nn.Conv1d(c.n_mels, c.upsampling_preconv_out_channels, 3, padding=1)
        ins = [c.upsampling_preconv_out_channels, *c.upsampling_out_channels[:-1]]
        self.ublocks = nn.ModuleList(UpsamplingBlock(i, o, f) for i, o, f in zip(ins, c.upsampling_out_channels, c.factors))
        self.dblock_preconv = nn.Conv1d(1, c.downsampling_preconv_out_channels, 5, padding=2)
        ins = [c.downsampling_preconv_out_channels, *c.downsampling_out_channels[:-1]]
        self.dblocks = nn.ModuleList(DownsamplingBlock(i, o, f) for i, o, f in zip(ins, c.downsampling_out_channels, c.factors[::-1]))
        widths = [c.downsampling_preconv_out_channels, *c.downsampling_out_channels]
        self.films = nn.ModuleList(FiLM(i, o) for i, o in zip(widths, c.upsampling_out_channels[::-1]))
        self.postconv = nn.Conv1d(c.upsampling_out_channels[-1], 1, 3, padding=1)

    def forward(self, mels, y_noisy, level):
        statistics, d = [], self.dblock_preconv(y_noisy)
        statistics.append(self.films[0](d, level))
        for dblock, film in zip(self.dblocks, self.films[1:]):
            d = dblock(d)
            statistics.append(film(d, level))
        u = self.ublock_preconv(mels)
        for ublock, (scale, shift) in zip(self.ublocks, statistics[::-1]):
            u = ublock(u, scale, shift)
        return self.postconv(u)


class AudioDataset(Dataset):
    def __init__(self, config, n=15):
        self.segment_length = config.segment_length
        self.clips = [torch.sin(2 * math.pi * (110 + 13 * i) * torch.arange(2000 + 31 * i) / config.sample_rate) for i in range(n)]

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, i):
        start = torch.randint(0, len(self.clips[i]) - self.segment_length, (1,)).item()
        return self.clips[i][start:start + self.segment_length]


def mel_spectrogram(config, audio):
    """(B, n_mels, ceil(T / hop_length))"""
    frames = F.pad(audio, (0, config.n_fft)).unfold(1, config.n_fft, config.hop_length)[:, :math.ceil(audio.size(1) / config.hop_length)]
    spec = torch.fft.rfft(frames * torch.hann_window(config.n_fft)).abs().transpose(1, 2)
    return torch.log(F.interpolate(spec.transpose(1, 2), size=config.n_mels).transpose(1, 2).clamp(min=1e-5))


config = Config()
model = WaveGradNN(config)
optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
alphas = torch.cumprod(1 - torch.linspace(1e-6, 0.01, config.n_iter), 0).sqrt()
for batch in DataLoader(AudioDataset(config), batch_size=config.batch_size, shuffle=True):
    mels = mel_spectrogram(config, batch)
    level = alphas[torch.randint(config.n_iter, (len(batch),))]
    eps = torch.randn_like(batch)
    y_noisy = level[:, None] * batch + (1 - level[:, None] ** 2).sqrt() * eps
    eps_recon = model(mels, y_noisy.unsqueeze(1), level).squeeze(1)
    loss = F.l1_loss(eps_recon, eps)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
