# Trains a flow vocoder on speech at 8 kHz, with 40 mel channels.
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


def mel_filters(n_mels, n_freq):
    centers = torch.linspace(0, n_freq - 1, n_mels + 2)
    grid = torch.arange(n_freq).float()
    up = (grid - centers[:-2, None]) / (centers[1:-1, None] - centers[:-2, None])
    down = (centers[2:, None] - grid) / (centers[2:, None] - centers[1:-1, None])
    return torch.clamp(torch.minimum(up, down), min=0)


class TacotronSTFT:
    def __init__(self, filter_length=256, hop_length=64, win_length=256, n_mel_channels=80):
        self.n_fft, self.hop, self.win = filter_length, hop_length, win_length
        self.basis = mel_filters(n_mel_channels, filter_length // 2 + 1)

    def mel_spectrogram(self, audio):
        spec = torch.stft(audio, self.n_fft, self.hop, self.win, torch.hann_window(self.win), return_complex=True)
        return torch.log(torch.clamp(self.basis @ spec.abs(), min=1e-5))


class Mel2Samp(Dataset):
    def __init__(self, count, segment_length, filter_length, hop_length, win_length, sampling_rate):
        self.count, self.segment_length = count, segment_length
        self.stft = TacotronSTFT(filter_length=filter_length, hop_length=hop_length, win_length=win_length)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        audio = torch.rand(self.segment_length, generator=torch.Generator().manual_seed(index)) * 2 - 1
        return self.stft.mel_spectrogram(audio), audio


class WN(nn.Module):
    def __init__(self, n_in, n_mel, n_layers, n_channels, kernel_size):
        super().__init__()
        self.start = nn.Conv1d(n_in, n_channels, 1)
        self.end = nn.Conv1d(n_channels, 2 * n_in, 1)
        self.cond_layer = nn.Conv1d(n_mel, 2 * n_channels * n_layers, 1)
        self.in_layers = nn.ModuleList(
            nn.Conv1d(n_channels, 2 * n_channels, kernel_size, dilation=2**i, padding=2**i) for i in range(n_layers)
        )

    def forward(self, audio, spect):
        audio = self.start(audio)
        conds = self.cond_layer(spect).chunk(len(self.in_layers), dim=1)
        for layer, cond in zip(self.in_layers, conds):
            a, b = (layer(audio) + cond).chunk(2, dim=1)
            audio = audio + torch.tanh(a) * torch.sigmoid(b)
        return self.end(audio).chunk(2, dim=1)


class WaveGlow(nn.Module):
    def __init__(self, n_mel_channels, n_flows, n_group, WN_config):
        super().__init__()
        self.n_group = n_group
        self.upsample = nn.ConvTranspose1d(n_mel_channels, n_mel_channels, 256, stride=64)
        self.convinv = nn.ModuleList(nn.Conv1d(n_group, n_group, 1, bias=False) for _ in range(n_flows))
        self.WN = nn.ModuleList(WN(n_group // 2, n_mel_channels * n_group, **WN_config) for _ in range(n_flows))

    def forward(self, spect, audio):
        spect = self.upsample(spect)
        spect = spect[:, :, : audio.size(1)]
        spect = spect.unfold(2, self.n_group, self.n_group).permute(0, 2, 1, 3)
        spect = spect.contiguous().view(spect.size(0), spect.size(1), -1).permute(0, 2, 1)
        audio = audio.unfold(1, self.n_group, self.n_group).permute(0, 2, 1)
        log_s_total = 0
        for mix, wn in zip(self.convinv, self.WN):
            audio_0, audio_1 = mix(audio).chunk(2, dim=1)
            b, log_s = wn(audio_0, spect)
            audio = torch.cat([audio_0, torch.exp(log_s) * audio_1 + b], 1)
            log_s_total = log_s_total + log_s.sum()
        return audio, log_s_total


data_config = {"segment_length": 3200, "sampling_rate": 8000, "filter_length": 256, "hop_length": 64, "win_length": 256}
waveglow_config = {"n_mel_channels": 40, "n_flows": 3, "n_group": 8,
                   "WN_config": {"n_layers": 2, "n_channels": 16, "kernel_size": 3}}

torch.manual_seed(0)
model = WaveGlow(**waveglow_config)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
loader = DataLoader(Mel2Samp(6, **data_config), batch_size=3)
for mel, audio in loader:
    z, log_s = model(mel, audio)
    loss = (z.pow(2).sum() / 2 - log_s) / z.numel()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
