"""Networks that the tests of torch.export save; no two axes of one tensor have the same length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim


class Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.depth = nn.Conv2d(8, 16, (3, 1), groups=4, padding=(1, 0), padding_mode="circular")
        self.norm = nn.GroupNorm(2, 16)
        self.up = nn.ConvTranspose2d(16, 6, (2, 3), stride=2, output_padding=1, groups=2)
        self.unused = nn.Linear(5, 7)
        self.register_buffer("scale", torch.ones(6, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> Any:
        x = F.max_pool2d(self.stem(x), 3, 2, ceil_mode=True)
        x = self.up(F.silu(self.norm(self.depth(x)))) * self.scale
        y = F.interpolate(x, scale_factor=2.0, mode="bilinear")
        z = F.adaptive_avg_pool2d(F.avg_pool2d(F.pad(y, (1, 2, 3, 4)), 2), (5, 4))
        return z.flatten(1), torch.cat([x, x * 2.0], 1).mean((2, 3), keepdim=True)


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(31, 12)
        self.pos = nn.Parameter(torch.zeros(64, 12))
        self.norm = nn.LayerNorm(12)
        self.qkv = nn.Linear(12, 36)
        self.block = nn.ModuleList([nn.Linear(12, 12), nn.Linear(12, 12, bias=False)])
        self.head = nn.Linear(12, 31, bias=False)
        self.head.weight = self.emb.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.emb(ids) + self.pos[: ids.shape[1]]
        b, t, e = x.shape
        for _ in range(2):
            q, k, v = self.qkv(self.norm(x)).split(e, dim=-1)
            q, k, v = (part.view(b, t, 3, 4).transpose(1, 2) for part in (q, k, v))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.block[0](a.transpose(1, 2).reshape(b, t, e))
        x = x + self.block[1](F.gelu(x))
        return self.head(x)[:, -1:].softmax(-1)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 7, 2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(14, 6)
        self.cell = nn.GRUCell(6, 9)

    def forward(self, x: torch.Tensor) -> Any:
        y, (h, c) = self.lstm(x)
        z, n = self.gru(y.permute(1, 0, 2))
        return self.cell(z[-1]), h, c.sum(0), n


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(10, 2, 22, batch_first=True)
        self.pool = nn.MultiheadAttention(10, 5, kdim=10, vdim=10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(x)
        return self.pool(x, x, x, need_weights=False)[0]


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(7, 4)
        self.b = nn.Linear(7, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cond(x.shape[0] > 5, self.a, self.b, (x,))
        with torch.no_grad():
            return y + 1.0


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.fc = nn.Linear(6, 6)
        self.conv = nn.Conv1d(2, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.fc(self.act(self.fc(x))))
        return self.conv(self.conv(x))


class Shapes(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        a = x.unsqueeze(1).expand(-1, 3, -1, -1).permute(0, 2, 1, 3)
        b = torch.stack([x, x + 1], 1).chunk(2, -1)[0]
        c = x.reshape(-1, x.shape[-1] * x.shape[-2])[:, 1:-1:2]
        d = torch.einsum("bij,jk->bik", x, y).topk(2, -1)
        e = x.masked_fill(x > 0, 0.0).cumsum(1).amax(-1)
        f = torch.arange(5).to(torch.float64) + x.argmax(-1, keepdim=True)
        return a, b, c, *d, e, f, x.squeeze(), x.unflatten(2, (2, 4)), y.t().repeat(2, 1, 3), x.half()


@dataclass(frozen=True)
class Net:
    make: Callable[[], nn.Module]
    args: Callable[[], tuple]
    dynamic: Any = None
    decomposed: bool = False


BATCH, TIME = Dim("batch", min=2, max=64), Dim("time", min=3, max=60)
NETS = {
    "conv": Net(Conv, lambda: (torch.zeros(2, 3, 37, 45),)),
    "conv of any size": Net(Conv, lambda: (torch.zeros(2, 3, 37, 45),), ({0: BATCH, 2: Dim.AUTO},)),
    "conv taken apart": Net(Conv, lambda: (torch.zeros(2, 3, 37, 45),), decomposed=True),
    "text": Net(Text, lambda: (torch.zeros(2, 9, dtype=torch.long),)),
    "text of any length": Net(Text, lambda: (torch.zeros(2, 9, dtype=torch.long),), ({0: BATCH, 1: TIME},)),
    "text taken apart": Net(
        Text, lambda: (torch.zeros(2, 9, dtype=torch.long),), ({0: BATCH, 1: TIME},), True
    ),
    "recurrent": Net(Recurrent, lambda: (torch.zeros(3, 4, 5),), ({0: BATCH},)),
    "attention": Net(Attention, lambda: (torch.zeros(3, 4, 10),), ({1: TIME},)),
    "branches": Net(Branches, lambda: (torch.zeros(8, 7),), ({0: BATCH},)),
    "twice": Net(Twice, lambda: (torch.zeros(5, 2, 6),), ({0: BATCH},)),
    "shapes": Net(Shapes, lambda: (torch.zeros(5, 7, 8), torch.zeros(8, 3)), ({0: BATCH, 1: TIME}, None)),
}
