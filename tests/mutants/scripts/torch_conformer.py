"""A conformer for speech with CTC."""
import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIG = {"mels": 40, "dim": 18, "heads": 3, "kernel": 7, "vocab": 29, "blocks": 2}


class Subsampling(nn.Module):
    def __init__(self, mels, dim):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 5, 3, stride=2), nn.ReLU(),
            nn.Conv2d(5, 5, 3, stride=2), nn.ReLU(),
        )
        self.out = nn.Linear(5 * (((mels - 1) // 2 - 1) // 2), dim)

    def forward(self, x):
        x = self.conv(x.unsqueeze(1))
        b, c, t, f = x.size()
        return self.out(x.transpose(1, 2).contiguous().view(b, t, c * f))


class FeedForward(nn.Module):
    def __init__(self, dim, expansion=4):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, dim * expansion)
        self.down = nn.Linear(dim * expansion, dim)

    def forward(self, x):
        return self.down(F.silu(self.up(self.norm(x))))


class ConvModule(nn.Module):
    def __init__(self, dim, kernel):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.pointwise1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=(kernel - 1) // 2, groups=dim)
        self.batch_norm = nn.BatchNorm1d(dim)
        self.pointwise2 = nn.Conv1d(dim, dim, 1)

    def forward(self, x):
        x = self.norm(x).transpose(1, 2)
        x = F.glu(self.pointwise1(x), dim=1)
        x = F.silu(self.batch_norm(self.depthwise(x)))
        return self.pointwise2(x).transpose(1, 2)


class ConformerBlock(nn.Module):
    def __init__(self, dim, heads, kernel):
        super().__init__()
        self.ff1, self.ff2 = FeedForward(dim), FeedForward(dim)
        self.norm_att = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.conv = ConvModule(dim, kernel)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x, mask):
        x = x + 0.5 * self.ff1(x)
        y = self.norm_att(x)
        x = x + self.attention(y, y, y, key_padding_mask=mask, need_weights=False)[0]
        x = x + self.conv(x)
        return self.norm(x + 0.5 * self.ff2(x))


class Conformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim = config["dim"]
        self.subsampling = Subsampling(config["mels"], dim)
        self.blocks = nn.ModuleList(
            [ConformerBlock(dim, config["heads"], config["kernel"]) for _ in range(config["blocks"])]
        )
        self.head = nn.Linear(dim, config["vocab"])

    def forward(self, mel, lengths):
        x = self.subsampling(mel)
        lengths = ((lengths - 1) // 2 - 1) // 2
        mask = torch.arange(x.size(1))[None, :] >= lengths[:, None]
        for block in self.blocks:
            x = block(x, mask)
        return self.head(x).log_softmax(dim=-1), lengths


torch.manual_seed(3)
model = Conformer(CONFIG)
mel = torch.randn(4, 95, CONFIG["mels"])
lengths = torch.tensor([95, 80, 71, 64])
targets = torch.randint(1, CONFIG["vocab"], (4, 6))
target_lengths = torch.tensor([6, 5, 4, 3])
log_probs, out_lengths = model(mel, lengths)
loss = F.ctc_loss(log_probs.transpose(0, 1), targets, out_lengths, target_lengths)
loss.backward()
print("log_probs", tuple(log_probs.shape), "loss", tuple(loss.shape))
