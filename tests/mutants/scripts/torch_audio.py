"""Keyword spotting: log-mel frames computed in the model, 2d convolutions and a GRU."""
from dataclasses import dataclass, field

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence


@dataclass
class AudioConfig:
    sample_rate: int = 800
    n_fft: int = 64
    hop_length: int = 20
    n_mels: int = 14
    channels: list = field(default_factory=lambda: [5, 9])
    rnn_hidden: int = 13
    n_keywords: int = 6


class LogMel(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.register_buffer("window", torch.hann_window(cfg.n_fft))
        self.register_buffer("mel_fb", torch.rand(cfg.n_fft // 2 + 1, cfg.n_mels))

    def forward(self, wav):
        spec = torch.stft(wav, self.cfg.n_fft, self.cfg.hop_length, window=self.window, return_complex=True)
        power = spec.abs() ** 2
        mel = torch.matmul(power.transpose(1, 2), self.mel_fb)
        return torch.log(mel + 1e-6)


class KeywordNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.frontend = LogMel(cfg)
        c1, c2 = cfg.channels
        self.conv = nn.Sequential(
            nn.Conv2d(1, c1, (3, 3), stride=(1, 2), padding=(1, 1)),
            nn.BatchNorm2d(c1),
            nn.ReLU(),
            nn.Conv2d(c1, c2, (3, 3), stride=(2, 2), padding=(1, 1)),
            nn.ReLU(),
        )
        self.rnn = nn.GRU(c2 * 4, cfg.rnn_hidden, batch_first=True)
        self.attn = nn.Linear(cfg.rnn_hidden, 1)
        self.out = nn.Linear(cfg.rnn_hidden, cfg.n_keywords)

    def forward(self, wav):
        x = self.frontend(wav).unsqueeze(1)
        x = self.conv(x)
        b, c, t, f = x.shape
        x = x.permute(0, 2, 1, 3).reshape(b, t, c * f)
        x, _ = self.rnn(x)
        weights = torch.softmax(self.attn(x), dim=1)
        pooled = (weights * x).sum(dim=1)
        return self.out(pooled)


def collate_fn(batch):
    waves = pad_sequence([wave for wave, _ in batch], batch_first=True)
    return waves, torch.tensor([label for _, label in batch])


torch.manual_seed(0)
cfg = AudioConfig()
dataset = [(torch.randn(cfg.sample_rate - 37 * i), i % cfg.n_keywords) for i in range(8)]
loader = torch.utils.data.DataLoader(dataset, batch_size=4, collate_fn=collate_fn)
model = KeywordNet(cfg)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for waves, labels in loader:
    logits = model(waves)
    loss = criterion(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("logits", tuple(logits.shape))
