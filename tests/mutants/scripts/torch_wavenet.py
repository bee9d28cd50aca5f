"""Dilated causal convolutions over raw audio, WaveNet style, with mu-law classes."""
import torch
import torch.nn as nn
import torch.nn.functional as F

hparams = {"residual": 10, "dilated": 8, "skip": 12, "classes": 17, "layers": 3, "stacks": 2, "mels": 5}


class CausalConv1d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=2, dilation=1):
        super().__init__()
        self.pad = (kernel_size - 1) * dilation
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, dilation=dilation)

    def forward(self, x):
        return self.conv(F.pad(x, (self.pad, 0)))


class ResidualBlock(nn.Module):
    def __init__(self, res, dil, skip, cond, dilation):
        super().__init__()
        self.filter = CausalConv1d(res, dil, dilation=dilation)
        self.gate = CausalConv1d(res, dil, dilation=dilation)
        self.cond_filter = nn.Conv1d(cond, dil, 1, bias=False)
        self.cond_gate = nn.Conv1d(cond, dil, 1, bias=False)
        self.res = nn.Conv1d(dil, res, 1)
        self.skip = nn.Conv1d(dil, skip, 1)

    def forward(self, x, c):
        f = torch.tanh(self.filter(x) + self.cond_filter(c))
        g = torch.sigmoid(self.gate(x) + self.cond_gate(c))
        out = f * g
        return self.res(out) + x, self.skip(out)


class WaveNet(nn.Module):
    def __init__(self, hp, upsample=8):
        super().__init__()
        self.classes = hp["classes"]
        self.upsample = nn.ConvTranspose1d(hp["mels"], hp["mels"], kernel_size=upsample, stride=upsample)
        self.front = CausalConv1d(hp["classes"], hp["residual"])
        self.blocks = nn.ModuleList([
            ResidualBlock(hp["residual"], hp["dilated"], hp["skip"], hp["mels"], 2**i)
            for _ in range(hp["stacks"]) for i in range(hp["layers"])
        ])
        self.end1 = nn.Conv1d(hp["skip"], hp["skip"], 1)
        self.end2 = nn.Conv1d(hp["skip"], hp["classes"], 1)

    def forward(self, audio, mel):
        x = F.one_hot(audio, self.classes).float().transpose(1, 2)
        c = self.upsample(mel)
        x = self.front(x)
        total = 0
        for block in self.blocks:
            x, skip = block(x, c)
            total = total + skip
        return self.end2(F.relu(self.end1(F.relu(total))))


torch.manual_seed(0)
model = WaveNet(hparams)
frames, hop = 9, 8
audio = torch.randint(0, hparams["classes"], (3, frames * hop + 1))
mel = torch.randn(3, hparams["mels"], frames)
logits = model(audio[:, :-1], mel)
loss = F.cross_entropy(logits, audio[:, 1:])
loss.backward()
print("logits", tuple(logits.shape))
