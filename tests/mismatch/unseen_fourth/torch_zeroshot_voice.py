# YourTTS-like zero-shot synthesis: a reference recording gives the speaker embedding, a flow-based model the speech.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SpeakerEncoder(nn.Module):
    """ResNet speaker encoder, mean and deviation pooled over time."""

    def __init__(self, n_mels=40, proj_dim=256):
        super().__init__()
        self.conv1 = nn.Conv1d(n_mels, 32, 5, padding=2)
        self.conv2 = nn.Conv1d(32, 48, 3, padding=1)
        self.fc = nn.Linear(96, proj_dim)

    def forward(self, mel, l2_norm=True):
        h = F.relu(self.conv2(F.relu(self.conv1(mel))))
        h = self.fc(torch.cat([h.mean(-1), h.std(-1)], dim=1))
        return F.normalize(h, dim=1) if l2_norm else h


class TextEncoder(nn.Module):
    def __init__(self, n_vocab, hidden):
        super().__init__()
        self.hidden = hidden
        self.emb = nn.Embedding(n_vocab, hidden)
        self.convs = nn.ModuleList(nn.Conv1d(hidden, hidden, 5, padding=2) for _ in range(2))
        self.proj = nn.Conv1d(hidden, hidden * 2, 1)

    def forward(self, x):
        x = (self.emb(x) * math.sqrt(self.hidden)).transpose(1, 2)
        for conv in self.convs:
            x = x + F.relu(conv(x))
        m, logs = self.proj(x).chunk(2, dim=1)
        return x, m, logs


class DurationPredictor(nn.Module):
    def __init__(self, channels, filters, gin_channels):
        super().__init__()
        self.cond = nn.Conv1d(gin_channels, channels, 1)
        self.conv_1 = nn.Conv1d(channels, filters, 3, padding=1)
        self.proj = nn.Conv1d(filters, 1, 1)

    def forward(self, x, g):
        x = x.detach() + self.cond(g)
        return self.proj(F.relu(self.conv_1(x)))


class WN(nn.Module):
    def __init__(self, hidden, n_layers, gin_channels):
        super().__init__()
        self.hidden = hidden
        self.cond_layer = nn.Conv1d(gin_channels, 2 * hidden * n_layers, 1)
        self.in_layers = nn.ModuleList(nn.Conv1d(hidden, 2 * hidden, 3, padding=1) for _ in range(n_layers))
        self.skips = nn.ModuleList(nn.Conv1d(hidden, hidden, 1) for _ in range(n_layers))

    def forward(self, x, g):
        g, out = self.cond_layer(g), 0
        for i, (layer, skip) in enumerate(zip(self.in_layers, self.skips)):
            g_l = g[:, i * 2 * self.hidden:(i + 1) * 2 * self.hidden]
            a, b = (layer(x) + g_l).chunk(2, dim=1)
            x = skip(torch.tanh(a) * torch.sigmoid(b)) + x
            out = out + x
        return out


class Coupling(nn.Module):
    def __init__(self, channels, gin_channels):
        super().__init__()
        self.half = channels // 2
        self.pre, self.post = nn.Conv1d(self.half, 24, 1), nn.Conv1d(24, self.half, 1)
        self.enc = WN(24, 2, gin_channels)

    def forward(self, z, g):
        z0, z1 = z[:, :self.half], z[:, self.half:]
        return torch.cat([z0, z1 - self.post(self.enc(self.pre(z0), g))], dim=1).flip(1)


class Generator(nn.Module):
    def __init__(self, channels, gin_channels, rates=(8, 4)):
        super().__init__()
        self.conv_pre = nn.Conv1d(channels, 32, 7, padding=3)
        self.cond = nn.Conv1d(gin_channels, 32, 1)
        widths = [32 // 2**i for i in range(len(rates) + 1)]
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(a, b, 2 * r, r, padding=r // 2) for a, b, r in zip(widths, widths[1:], rates)
        )
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3)

    def forward(self, x, g):
        x = self.conv_pre(x) + self.cond(g)
        for up in self.ups:
            x = up(F.leaky_relu(x, 0.1))
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class Vits(nn.Module):
    def __init__(self, args):
        super().__init__()
        dim = args["d_vector_dim"]
        self.text_encoder = TextEncoder(args["num_chars"], args["hidden_channels"])
        self.duration_predictor = DurationPredictor(args["hidden_channels"], 40, dim)
        self.flow = nn.ModuleList(Coupling(args["hidden_channels"], dim) for _ in range(2))
        self.waveform_decoder = Generator(args["hidden_channels"], dim)

    def inference(self, x, d_vector, noise_scale=0.667, length_scale=1.0):
        g = d_vector.unsqueeze(-1)
        x, m, logs = self.text_encoder(x)
        logw = self.duration_predictor(x, g)
        frames = torch.ceil(torch.exp(logw.clamp(max=1.5)) * length_scale).long()[0, 0]
        m, logs = (t.repeat_interleave(frames, dim=2) for t in (m, logs))
        z = m + torch.randn_like(m) * torch.exp(logs.clamp(max=1)) * noise_scale
        for layer in self.flow:
            z = layer(z, g)
        return self.waveform_decoder(z, g)


torch.manual_seed(0)
C = {
    "num_chars": 60,
    "hidden_channels": 36,
    "d_vector_dim": 256,
    "speaker_encoder": {"n_mels": 40, "proj_dim": 512},
}
SE_speaker_manager = SpeakerEncoder(**C["speaker_encoder"]).eval()
model = Vits(C).eval()

reference_mel = torch.rand(1, 40, 120)
text = torch.randint(1, 60, (1, 21))
with torch.no_grad():
    reference_emb = SE_speaker_manager(reference_mel)
    wav = model.inference(text, reference_emb)
print("samples", wav.shape[-1])
