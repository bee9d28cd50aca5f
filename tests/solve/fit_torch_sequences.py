"""PyTorch networks of sounds, texts and frames whose code computes sizes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from fit_judge import Subject, case
from fit_modules import BATCH, FEW, SMALL, Code, subject, weight
from torch import Tensor, nn
from torch.nn import functional as F

LONG = [1, 7, 8, 9, 20, 39, 40, 43, 44, 45, 47, 48, 60, 63, 64, 79, 80, 84, 100, 123, 124, 160, 200, 400, 800]


@case(("N", 1, "L"), N=BATCH, L=LONG)
def audio_frames_unfolded(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        f = m.c(x)
        n = f.shape[-1] // 10
        return m.fc(f[..., : n * 10].unfold(-1, 10, 10).permute(0, 2, 1, 3).flatten(2)).mean(1)

    return subject(Code(forward, c=nn.Conv1d(1, 4, 8, 4), fc=nn.Linear(40, 3)), (1, 1, 60))


@case(("N", "L"), N=BATCH, L=LONG)
def audio_frames_viewed(_: Path) -> Subject:
    return subject(Code(lambda m, x: m.fc(x.view(x.shape[0], -1, 40)).mean(1), fc=nn.Linear(40, 3)), (2, 160))


@case(("N", 1, "L"), N=BATCH, L=LONG)
def wav_frontend_and_positions(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.c(x).transpose(1, 2)
        return y + m.pos[:, : y.shape[1]]

    front = nn.Sequential(nn.Conv1d(1, 4, 10, 5), nn.GELU(), nn.Conv1d(4, 4, 3, 2))
    return subject(Code(forward, c=front, pos=weight(1, 30, 4)), (1, 1, 200))


@case(("N", 2, "L"), N=BATCH, L=LONG)
def causal_convolutions(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(F.pad(x, (2, 0)))
        y = m.b(F.pad(y, (8, 0)))
        return y + m.skip(x)[..., : y.shape[-1]]

    layers = {"a": nn.Conv1d(2, 4, 3), "b": nn.Conv1d(4, 4, 3, dilation=4), "skip": nn.Conv1d(2, 4, 1)}
    return subject(Code(forward, **layers), (1, 2, 60))


@case(("N", 2, "L"), N=BATCH, L=LONG)
def chomped_convolution(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.b(F.relu(m.a(x)[:, :, :-6]))[:, :, :-4].contiguous() + x

    layers = {"a": nn.Conv1d(2, 4, 3, padding=6, dilation=3), "b": nn.Conv1d(4, 2, 5, padding=4)}
    return subject(Code(forward, **layers), (1, 2, 60))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def dilated_and_strided(_: Path) -> Subject:
    layers = [
        nn.Conv2d(3, 4, (5, 3), (2, 1), dilation=(1, 3)),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.AvgPool2d((2, 3), ceil_mode=True),
        nn.Conv2d(4, 5, (2, 3)),
    ]
    return subject(nn.Sequential(*layers), (1, 3, 33, 41))


@case(("N", 3, "H", "W"), N=BATCH, H=SMALL, W=FEW)
def flatten_linear(_: Path) -> Subject:
    layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(4 * 4 * 5, 5)]
    return subject(nn.Sequential(*layers), (1, 3, 32, 40))


@case(("N", 3, "H", "W"), N=BATCH, H=SMALL, W=FEW)
def view_by_minus_one(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.fc(F.max_pool2d(m.c(x), 3).view(-1, 80))

    return subject(Code(forward, c=nn.Conv2d(3, 4, 3), fc=nn.Linear(80, 5)), (1, 3, 14, 17))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def adaptive_pool(_: Path) -> Subject:
    layers = [nn.Conv2d(3, 4, 7, 3), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Linear(24, 5)]
    return subject(nn.Sequential(*layers), (1, 3, 32, 40))


@case(("N", 16, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def pixel_shuffle(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = F.pixel_shuffle(m.c(x), 2)
        return F.pixel_unshuffle(y, 4) + F.pixel_unshuffle(y, 2)[:, :, ::2, ::2].repeat(1, 4, 1, 1)

    return subject(Code(forward, c=nn.Conv2d(16, 16, 3, padding=1)), (1, 16, 8, 12))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def space_to_depth_by_slices(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        parts = [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]]
        return m.c(torch.cat(parts, 1))

    return subject(Code(forward, c=nn.Conv2d(12, 4, 3)), (1, 3, 32, 40))


@case(("N", 6, "L"), N=BATCH, L=LONG)
def groups_split_along_time(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        one, two, three = x.chunk(3, dim=2)
        return m.c(one + two + three)

    return subject(Code(forward, c=nn.Conv1d(6, 4, 3, groups=2)), (1, 6, 60))


@case(("N", "L"), N=BATCH, L=[1, 2, 3, 15, 16, 17, 30, 31, 32, 33, 40, 64])
def bert_positions(_: Path) -> Subject:
    def forward(m: Any, ids: Tensor) -> Tensor:
        return m.norm(m.word(ids) + m.pos(torch.arange(ids.shape[1], device=ids.device)))

    layers = {"word": nn.Embedding(50, 8), "pos": nn.Embedding(32, 8), "norm": nn.LayerNorm(8)}
    return subject(Code(forward, **layers), (1, 16), whole=(0,))


@case(("N", "L"), N=BATCH, L=[1, 2, 3, 15, 16, 17, 30, 31, 32, 33, 40, 64])
def bert_buffered_positions(_: Path) -> Subject:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word, self.pos = nn.Embedding(50, 8), nn.Embedding(32, 8)
            self.register_buffer("ids", torch.arange(32).expand((1, -1)))

        def forward(self, ids: Tensor) -> Tensor:
            positions = self.ids[:, : ids.size(1)]
            return self.word(ids) + self.pos(positions)

    return subject(Net(), (1, 16), whole=(0,))


@case(("N", "L"), ("N", "M"), N=BATCH, L=[1, 2, 8, 16, 30, 31, 32], M=[1, 2, 8, 16, 30, 31, 32])
def ids_and_mask(_: Path) -> Subject:
    def forward(m: Any, ids: Tensor, mask: Tensor) -> Tensor:
        y = m.word(ids)
        scores = y @ y.transpose(1, 2) + mask[:, None, :]
        return scores.softmax(-1) @ y

    return subject(Code(forward, word=nn.Embedding(50, 8)), (1, 16), (1, 16), whole=(0,))


PAST = [1, 2, 3, 5, 8, 9, 15, 16, 17]


@case(("N", "L", 8), ("N", "P", 8), ("N", "M"), N=[1, 2], L=PAST, P=PAST, M=PAST)
def past_and_mask(_: Path) -> Subject:
    def forward(m: Any, x: Tensor, past: Tensor, mask: Tensor) -> Tensor:
        keys = torch.cat([past, m.k(x)], 1)
        scores = m.q(x) @ keys.transpose(1, 2)
        return (scores + mask.unsqueeze(1)).softmax(-1) @ keys

    return subject(Code(forward, q=nn.Linear(8, 8), k=nn.Linear(8, 8)), (1, 3, 8), (1, 5, 8), (1, 8))


@case(("N", "L", 8), N=BATCH, L=[1, 2, 4, 7, 8, 9, 15, 16, 17, 24, 30, 32])
def causal_mask_buffer(_: Path) -> Subject:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(8, 24)
            self.register_buffer("mask", torch.ones(16, 16).tril().view(1, 1, 16, 16))

        def forward(self, x: Tensor) -> Tensor:
            b, t, e = x.shape
            q, k, v = (y.view(b, t, 2, 4).transpose(1, 2) for y in self.qkv(x).split(e, dim=2))
            scores = (q @ k.transpose(2, 3)).masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
            return (scores.softmax(-1) @ v).transpose(1, 2).contiguous().view(b, t, e)

    return subject(Net(), (1, 12, 8))


@case(("N", "L", 8), N=BATCH, L=[1, 2, 4, 7, 8, 9, 15, 16, 17, 24, 30, 31, 32, 63, 64])
def chunked_attention(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        b, t, e = x.shape
        if t % 8:
            raise ValueError(f"{t} tokens are no multiple of 8")
        y = m.fc(x).view(b, t // 8, 8, e)
        return (y @ y.transpose(2, 3)).softmax(-1).flatten(1, 2)

    return subject(Code(forward, fc=nn.Linear(8, 8)), (1, 32, 8))


@case(("N", "L", 5), N=BATCH, L=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 20])
def recurrent_last_step_of_pairs(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        b, t, c = x.shape
        y, _ = m.rnn(x[:, : t // 2 * 2].reshape(b, t // 2, 2 * c))
        return m.fc(y[:, -1])

    return subject(Code(forward, rnn=nn.LSTM(10, 6, batch_first=True), fc=nn.Linear(6, 3)), (2, 12, 5))


@case((1, 3, "H", "W"), H=SMALL, W=FEW)
def batch_folded_into_a_fixed_view(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.fc(F.adaptive_avg_pool2d(m.c(x), 4).view(1, 64))

    return subject(Code(forward, c=nn.Conv2d(3, 4, 3), fc=nn.Linear(64, 5)), (1, 3, 32, 40))


@case(("N", 3, 8, 8), N=[1, 2, 3, 4])
def batch_of_one_baked(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        return m.fc(m.c(x).view(1, 256))

    return subject(Code(forward, c=nn.Conv2d(3, 4, 3, padding=1), fc=nn.Linear(256, 5)), (1, 3, 8, 8))


@case(("N", 1, "D", "H", "W"), N=[1, 2], D=[1, 2, 3, 4, 6, 7, 8], H=[1, 3, 4, 7, 8, 9, 16], W=[4, 8, 9])
def video_pools(_: Path) -> Subject:
    layers = [
        nn.Conv3d(1, 2, 3, padding=1),
        nn.MaxPool3d(2),
        nn.MaxPool3d((2, 2, 2)),
        nn.Conv3d(2, 3, (1, 2, 1)),
    ]
    return subject(nn.Sequential(*layers), (1, 1, 8, 16, 16))


@case((1, 3, "H", "W"), H=SMALL, W=FEW)
def branch_by_size(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        if x.shape[-1] > 40:
            x = F.avg_pool2d(x, 2)
        return m.fc(m.c(x).flatten(1))

    return subject(Code(forward, c=nn.Conv2d(3, 4, 4, 4), fc=nn.Linear(4 * 8 * 8, 5)), (1, 3, 32, 32))


@case((1, 3, "H", "W"), H=SMALL, W=SMALL)
def loop_until_small(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        while x.shape[-1] > 8:
            x = m.c(x)
        return m.fc(x.flatten(2)).mean(1)

    return subject(Code(forward, c=nn.Conv2d(3, 3, 3, 2, 1), fc=nn.Linear(32, 5)), (1, 3, 32, 64))


@case((1, 1, "H", "W"), H=SMALL, W=FEW)
def resize_by_rounding(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        y = F.interpolate(x, size=(round(h * 0.6), math.ceil(w * 0.75)))
        return m.c(y)

    return subject(Code(forward, c=nn.Conv2d(1, 2, 5)), (1, 1, 20, 30))
