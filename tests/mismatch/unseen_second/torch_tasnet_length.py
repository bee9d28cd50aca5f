# Separates two speakers with a time domain network, and compares with the clean voices.
from itertools import permutations

import torch
import torch.nn as nn


class ChannelNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(1, channels, eps=1e-8)

    def forward(self, x):
        return self.norm(x)


class Conv1DBlock(nn.Module):
    def __init__(self, in_channels, conv_channels, dilation):
        super().__init__()
        self.conv1x1 = nn.Conv1d(in_channels, conv_channels, 1)
        self.lnorm1, self.prelu1 = ChannelNorm(conv_channels), nn.PReLU()
        self.dconv = nn.Conv1d(conv_channels, conv_channels, 3, groups=conv_channels, padding=dilation,
                               dilation=dilation)
        self.lnorm2, self.prelu2 = ChannelNorm(conv_channels), nn.PReLU()
        self.sconv = nn.Conv1d(conv_channels, in_channels, 1)

    def forward(self, x):
        y = self.lnorm1(self.prelu1(self.conv1x1(x)))
        y = self.lnorm2(self.prelu2(self.dconv(y)))
        return x + self.sconv(y)


class ConvTasNet(nn.Module):
    def __init__(self, L=20, N=32, X=4, R=2, B=24, H=32, num_spks=2):
        super().__init__()
        self.encoder_1d = nn.Conv1d(1, N, L, stride=L // 2)
        self.ln, self.proj = ChannelNorm(N), nn.Conv1d(N, B, 1)
        self.repeats = nn.Sequential(*[Conv1DBlock(B, H, 2**i) for _ in range(R) for i in range(X)])
        self.mask = nn.Conv1d(B, num_spks * N, 1)
        self.decoder_1d = nn.ConvTranspose1d(N, 1, L, stride=L // 2)
        self.num_spks = num_spks

    def forward(self, x):
        if x.dim() == 1:
            x = x.unsqueeze(0)
        w = torch.relu(self.encoder_1d(x.unsqueeze(1)))
        y = self.repeats(self.proj(self.ln(w)))
        masks = torch.relu(self.mask(y)).chunk(self.num_spks, 1)
        return [self.decoder_1d(w * m).squeeze(1) for m in masks]


def si_snr(x, s, eps=1e-8):
    x_zm = x - x.mean(-1, keepdim=True)
    s_zm = s - s.mean(-1, keepdim=True)
    t = (x_zm * s_zm).sum(-1, keepdim=True) * s_zm / (s_zm.norm(dim=-1, keepdim=True) ** 2 + eps)
    return 20 * torch.log10(eps + t.norm(dim=-1) / (x_zm - t).norm(dim=-1).clamp(min=eps))


def pit_loss(ests, refs):
    scores = [sum(si_snr(ests[s], refs[t]) for s, t in enumerate(p)) / len(p) for p in permutations(range(len(refs)))]
    return -torch.stack(scores).max(0)[0].mean()


torch.manual_seed(0)
chunk_size = 8008
refs = [torch.randn(2, chunk_size), torch.randn(2, chunk_size)]
mix = refs[0] + refs[1]
net = ConvTasNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
ests = net(mix)
loss = pit_loss(ests, refs)
loss.backward()
nn.utils.clip_grad_norm_(net.parameters(), 5)
optimizer.step()
print("loss", loss.item())
