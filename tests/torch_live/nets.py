"""Small networks of the usual architectures, with sizes that tell every axis apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F  # its customary name


class Bottleneck(nn.Module):
    """A residual block with a projection where sizes change."""

    def __init__(self, inside: int, width: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += self.shortcut(x)
        return self.relu(out)


class ResNet(nn.Module):
    """ResNet with as many bottlenecks a stage as asked for."""

    def __init__(self, blocks: tuple[int, ...] = (1, 2), width: int = 8, classes: int = 11) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        stages, inside = [], width
        for stage, count in enumerate(blocks):
            here = width * 2**stage
            strides = [1 if stage == 0 else 2] + [1] * (count - 1)
            stages.append(nn.Sequential())
            for stride in strides:
                stages[-1].append(Bottleneck(inside, here, 4 * here, stride))
                inside = 4 * here
        self.layers = nn.ModuleList(stages)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inside, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in self.layers:
            x = stage(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


class DenseBlock(nn.Module):
    """Every layer reads all earlier ones, concatenated."""

    def __init__(self, inside: int, growth: int, count: int) -> None:
        super().__init__()
        self.convs = nn.ModuleDict(
            {
                f"layer{at}": nn.Sequential(
                    nn.BatchNorm2d(inside + at * growth),
                    nn.ReLU(),
                    nn.Conv2d(inside + at * growth, growth, 3, padding=1),
                )
                for at in range(count)
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = [x]
        for conv in self.convs.values():
            found.append(conv(torch.cat(found, dim=1)))
        return torch.cat(found, 1)


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 10, 3, padding="same")
        self.dense = DenseBlock(10, 4, 3)
        self.head = nn.Linear(22, 7)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = F.relu(self.dense(self.stem(image)))
        return self.head(F.avg_pool2d(features, 2).mean(dim=(2, 3)))


class UNet(nn.Module):
    """Down and up again, with skips; odd sizes are made to fit by interpolation and padding."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(2, 6, 3, padding=1)
        self.down2 = nn.Conv2d(6, 10, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(10, 14, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(14, 10, 2, stride=2)
        self.merge2 = nn.Conv2d(20, 12, 3, padding=1)
        self.merge1 = nn.Conv2d(18, 5, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        first = F.relu(self.down1(x))
        second = F.relu(self.down2(first))
        deep = F.relu(self.deep(second))
        up = self.up2(deep)
        up = up[:, :, : second.shape[2], : second.size(3)]
        up = F.pad(up, (0, second.shape[3] - up.shape[3], 0, second.shape[2] - up.shape[2]))
        second = self.merge2(torch.cat((second, up), 1))
        up = F.interpolate(second, size=first.shape[-2:], mode="bilinear", align_corners=False)
        return {"mask": self.merge1(torch.cat([first, up], 1)), "deep": deep}


class InvertedResidual(nn.Module):
    """MobileNet's block: widen, depthwise, narrow, with squeeze and excitation."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        wide = inside * 3
        self.expand = nn.Conv2d(inside, wide, 1)
        self.depthwise = nn.Conv2d(wide, wide, 5, stride, 2, groups=wide)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 4, 1), nn.SiLU(), nn.Conv2d(4, wide, 1), nn.Sigmoid()
        )
        self.project = nn.Conv2d(wide, outside, 1)
        self.same = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.hardswish(self.depthwise(F.hardswish(self.expand(x))))
        out = self.project(out * self.squeeze(out))
        return x + out if self.same else out


class MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 9, 3, 2, 1),
            InvertedResidual(9, 9, 1),
            InvertedResidual(9, 12, 2),
            nn.Conv2d(12, 15, 3, groups=3, dilation=(1, 2), padding=(1, 2)),
            nn.ChannelShuffle(3),
        )
        self.classifier = nn.Linear(15, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean([2, 3]))


class Attention(nn.Module):
    """Written out by hand, with views and transposes."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).contiguous().view(n, t, c))


class FusedAttention(Attention):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, c = x.shape
        q, k, v = (part.view(n, t, self.heads, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(out.transpose(1, 2).reshape(n, t, c))


class ViT(nn.Module):
    """Patches, a class token, a positional embedding, pre-norm blocks."""

    def __init__(self, dim: int = 12, patch: tuple[int, int] = (4, 5), tokens: int = 6) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, dim, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.zeros(1, tokens + 1, dim))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(dim),
                    "attention": (Attention, FusedAttention)[at](dim, 3),
                    "norm2": nn.LayerNorm(dim),
                    "mlp": nn.Sequential(nn.Linear(dim, 20), nn.GELU(), nn.Dropout(0.1), nn.Linear(20, dim)),
                }
            )
            for at in range(2)
        )
        self.head = nn.Linear(dim, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = x + block["attention"](block["norm1"](x))
            x = x + block["mlp"](block["norm2"](x))
        return self.head(x[:, 0])


class Tagger(nn.Module):
    """Embedding, a bidirectional LSTM of two layers, attention over it, a tied output."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(31, 8)
        self.lstm = nn.LSTM(8, 5, 2, batch_first=True, bidirectional=True)
        self.attend = nn.MultiheadAttention(10, 2, batch_first=True)
        self.back = nn.Linear(10, 8)
        self.out = nn.Linear(8, 31, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        states, _ = self.lstm(self.embed(ids))
        mixed, _ = self.attend(states, states, states, need_weights=False)
        return self.out(self.back(mixed)) * scale


class Recurrent(nn.Module):
    """Every recurrent layer of torch, with states handed on."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.LSTM(4, 9, proj_size=3, num_layers=2, bidirectional=True)
        self.gru = nn.GRU(6, 5, bidirectional=True)
        self.rnn = nn.RNN(10, 7, num_layers=3, nonlinearity="relu")
        self.cell = nn.LSTMCell(7, 8)
        self.gate = nn.GRUCell(8, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        x, state = self.project(x)
        x, _ = self.gru(x)
        x, _ = self.rnn(x)
        hidden, _ = self.cell(x[-1])
        return self.gate(hidden), state


class Shared(nn.Module):
    """One convolution at two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.again = self.conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.max_pool2d(self.conv(x), 2))


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.LazyConv2d(7, (3, 5), stride=2)
        self.norm = nn.LazyBatchNorm2d()
        self.up = nn.LazyConvTranspose2d(4, 2, groups=2) if False else nn.LazyConvTranspose2d(4, 2)
        self.fc = nn.LazyLinear(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.up(self.norm(self.conv(x))).flatten(1))


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


@dataclass
class Batch:
    image: torch.Tensor
    extra: dict[str, list[torch.Tensor]]
    label: str = "none"


class Nested(nn.Module):
    """Takes a dataclass, a named tuple and a keyword; gives all of them back, changed."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.pair = nn.Bilinear(5, 6, 7)

    def forward(self, batch: Batch, pair: Pair, *, bias: torch.Tensor) -> Batch:
        mixed = self.pair(pair.left, pair.right) + bias
        return Batch(self.image(batch.image), {"mixed": [mixed, *batch.extra["more"]]}, batch.label)


class Functional(nn.Module):
    """Its own parameters, used by functions."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(13, 6))
        self.kernel = nn.Parameter(torch.randn(8, 3, 3))
        self.weight = nn.Parameter(torch.randn(5, 8))
        self.register_buffer("mask", torch.ones(1, 1, 8))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = F.embedding(ids, self.table).transpose(1, 2)
        x = F.conv1d(x, self.kernel, groups=2, padding=1).transpose(1, 2) * self.mask
        x = torch.einsum("ntc,nsc->nts", x, x).softmax(-1) @ x
        return F.linear(F.layer_norm(x, (8,)), self.weight)
