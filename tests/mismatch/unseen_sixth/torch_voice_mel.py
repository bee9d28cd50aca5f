"""Voice conversion: content of the source, speaker embedding of the target's mel spectrogram."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(3)

hps = {"sampling_rate": 16000, "filter_length": 96, "hop_length": 24, "win_length": 96, "n_mel_channels": 20,
       "mel_fmin": 0.0, "mel_fmax": None, "gin_channels": 14, "content_channels": 18}
mel_basis = {}
hann_window = {}


def mel_filters(sr, n_fft, n_mels, fmin, fmax):
    """Triangular filters, (n_mels, n_fft // 2 + 1)."""
    fmax = fmax or sr / 2
    to_mel = lambda f: 2595.0 * math.log10(1.0 + f / 700.0)
    points = torch.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2)
    hz = 700.0 * (10 ** (points / 2595.0) - 1.0)
    freqs = torch.linspace(0, sr / 2, n_fft // 2 + 1)
    up = (freqs - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    down = (hz[2:, None] - freqs) / (hz[2:] - hz[1:-1])[:, None]
    return torch.clamp(torch.minimum(up, down), min=0)


def dynamic_range_compression(x, C=1, clip_val=1e-5):
    return torch.log(torch.clamp(x, min=clip_val) * C)


def mel_spectrogram_torch(y, n_fft, num_mels, sampling_rate, hop_size, win_size, fmin, fmax, center=False):
    if torch.max(y) > 1.0:
        print("max value is", torch.max(y))
    key = str(fmax) + "_" + str(y.device)
    if key not in mel_basis:
        mel_basis[key] = mel_filters(sampling_rate, n_fft, num_mels, fmin, fmax).to(y)
        hann_window[str(win_size)] = torch.hann_window(win_size).to(y)
    pad = int((n_fft - hop_size) / 2)
    y = F.pad(y.unsqueeze(1), (pad, pad), mode="reflect").squeeze(1)
    spec = torch.stft(y, n_fft, hop_length=hop_size, win_length=win_size, window=hann_window[str(win_size)],
                      center=center, pad_mode="reflect", normalized=False, onesided=True, return_complex=True)
    spec = torch.sqrt(spec.pow(2).sum(-1) + 1e-6)
    spec = torch.matmul(mel_basis[key], spec)
    return dynamic_range_compression(spec)


class SpeakerEncoder(nn.Module):
    def __init__(self, mel_n_channels, hidden, embedding):
        super().__init__()
        self.lstm = nn.LSTM(mel_n_channels, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, embedding)

    def forward(self, mels):
        _, (h, _) = self.lstm(mels)
        g = torch.relu(self.linear(h[-1]))
        return g / torch.norm(g, dim=1, keepdim=True).clamp(min=1e-6)


class Synthesizer(nn.Module):
    def __init__(self, content, gin, upsample=(4, 3, 2)):
        super().__init__()
        self.pre = nn.Conv1d(content, 36, 1)
        self.cond = nn.Conv1d(gin, 36, 1)
        self.ups = nn.ModuleList()
        ch = 36
        for u in upsample:
            self.ups.append(nn.ConvTranspose1d(ch, ch // 2, u, stride=u))
            ch //= 2
        self.post = nn.Conv1d(ch, 1, 7, padding=3)

    def forward(self, c, g):
        x = self.pre(c) + self.cond(g.unsqueeze(-1))
        for up in self.ups:
            x = up(F.leaky_relu(x, 0.1))
        return torch.tanh(self.post(x))


class ContentEncoder(nn.Module):
    """Stands for the units of a self-supervised model: one vector per hop."""

    def __init__(self, channels, hop):
        super().__init__()
        self.conv = nn.Conv1d(1, channels, hop, stride=hop)

    def forward(self, wav):
        return self.conv(wav.unsqueeze(1))


def load_wav(seconds):
    t = torch.arange(int(hps["sampling_rate"] * seconds)) / hps["sampling_rate"]
    return 0.5 * torch.sin(2 * math.pi * 220 * t) + 0.01 * torch.randn_like(t)


enc_p = ContentEncoder(hps["content_channels"], hps["hop_length"])
enc_spk = SpeakerEncoder(hps["n_mel_channels"], 28, hps["gin_channels"])
net_g = Synthesizer(hps["content_channels"], hps["gin_channels"])
net_g.eval()

with torch.no_grad():
    wav_tgt = load_wav(0.2).unsqueeze(0)
    mel_tgt = mel_spectrogram_torch(wav_tgt, hps["filter_length"], hps["n_mel_channels"], hps["sampling_rate"],
                                    hps["hop_length"], hps["win_length"], hps["mel_fmin"], hps["mel_fmax"])
    g_tgt = enc_spk(mel_tgt.transpose(1, 2))
    wav_src = load_wav(0.15).unsqueeze(0)
    c = enc_p(wav_src)
    audio = net_g(c, g_tgt)
print("converted", audio.shape)
