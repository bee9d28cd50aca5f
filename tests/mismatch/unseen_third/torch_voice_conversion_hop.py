# Trains a voice converter's generator on slices of recordings, with a loss on mel spectrograms.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import weight_norm


class HParams:
    filter_length = 1024
    hop_length = 256
    win_length = 1024
    n_mel_channels = 40
    sampling_rate = 16000
    segment_size = 8960
    spec_channels = 513
    inter_channels = 16
    gin_channels = 12
    resblock_kernel_sizes = [3, 7]
    upsample_rates = [10, 8, 2, 2]
    upsample_initial_channel = 48
    upsample_kernel_sizes = [16, 16, 4, 4]
    c_mel = 45


def spectrogram(y, hps):
    pad = (hps.filter_length - hps.hop_length) // 2
    y = F.pad(y.unsqueeze(1), (pad, pad), mode="reflect").squeeze(1)
    spec = torch.stft(y, hps.filter_length, hps.hop_length, hps.win_length, torch.hann_window(hps.win_length),
                      center=False, return_complex=True)
    return spec.abs()


def mel_basis(hps):
    points = torch.linspace(0, hps.spec_channels - 1, hps.n_mel_channels + 2)
    bins = torch.arange(hps.spec_channels).float()
    up = (bins - points[:-2, None]) / (points[1:-1] - points[:-2])[:, None]
    down = (points[2:, None] - bins) / (points[2:] - points[1:-1])[:, None]
    return torch.minimum(up, down).clamp(min=0)


def spec_to_mel(spec, hps):
    return torch.log(torch.clamp(mel_basis(hps) @ spec, min=1e-5))


def slice_segments(x, ids_str, segment_size=4):
    return torch.stack([x[i, :, s:s + segment_size] for i, s in enumerate(ids_str.tolist())])


class ResBlock(nn.Module):
    def __init__(self, channels, kernel_size):
        super().__init__()
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, channels, kernel_size, dilation=d, padding=(kernel_size - 1) * d // 2))
            for d in (1, 3)
        )

    def forward(self, x):
        for conv in self.convs:
            x = conv(F.leaky_relu(x, 0.1)) + x
        return x


class Generator(nn.Module):
    def __init__(self, hps):
        super().__init__()
        channels = hps.upsample_initial_channel
        self.conv_pre = nn.Conv1d(hps.inter_channels, channels, 7, 1, padding=3)
        self.cond = nn.Conv1d(hps.gin_channels, channels, 1)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for i, (u, k) in enumerate(zip(hps.upsample_rates, hps.upsample_kernel_sizes)):
            n_in, n_out = channels // 2**i, channels // 2 ** (i + 1)
            self.ups.append(weight_norm(nn.ConvTranspose1d(n_in, n_out, k, u, padding=(k - u) // 2)))
            self.resblocks.append(nn.ModuleList(ResBlock(n_out, k) for k in hps.resblock_kernel_sizes))
        self.conv_post = nn.Conv1d(n_out, 1, 7, 1, padding=3, bias=False)

    def forward(self, x, g):
        x = self.conv_pre(x) + self.cond(g)
        for up, blocks in zip(self.ups, self.resblocks):
            x = up(F.leaky_relu(x, 0.1))
            x = sum(block(x) for block in blocks) / len(blocks)
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class SynthesizerTrn(nn.Module):
    def __init__(self, hps):
        super().__init__()
        self.segment_size = hps.segment_size // hps.hop_length
        self.enc_q = nn.Sequential(nn.Conv1d(hps.spec_channels, 24, 5, padding=2), nn.ReLU(),
                                   nn.Conv1d(24, hps.inter_channels * 2, 1))
        self.dec = Generator(hps)

    def forward(self, spec, g):
        m, logs = self.enc_q(spec).chunk(2, dim=1)
        z = m + torch.randn_like(m) * torch.exp(logs)
        ids_slice = (torch.rand(len(z)) * (z.size(2) - self.segment_size)).long()
        z_slice = slice_segments(z, ids_slice, self.segment_size)
        return self.dec(z_slice, g.unsqueeze(-1)), ids_slice, m, logs


def train_and_evaluate(net_g, optim_g, loader, hps):
    for spec, y, g in loader:
        y_hat, ids_slice, m, logs = net_g(spec, g)
        mel = spec_to_mel(spec, hps)
        y_mel = slice_segments(mel, ids_slice, hps.segment_size // hps.hop_length)
        y_hat_mel = spec_to_mel(spectrogram(y_hat.squeeze(1), hps), hps)
        loss_mel = F.l1_loss(y_mel, y_hat_mel) * hps.c_mel
        loss_kl = 0.5 * (m**2 + torch.exp(2 * logs) - 2 * logs - 1).mean()
        loss = loss_mel + loss_kl
        optim_g.zero_grad()
        loss.backward()
        optim_g.step()
    return loss.item()


torch.manual_seed(0)
hps = HParams()
recordings = torch.randn(4, 16000) * 0.1
batches = [(spectrogram(y, hps), y, torch.randn(2, hps.gin_channels)) for y in recordings.split(2)]
net_g = SynthesizerTrn(hps)
optim_g = torch.optim.AdamW(net_g.parameters(), 2e-4, betas=(0.8, 0.99))
print("loss", round(train_and_evaluate(net_g, optim_g, batches, hps), 2))
