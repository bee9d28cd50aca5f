"""PyTorch networks of pictures whose code computes sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from fit_judge import Subject, case
from fit_modules import BATCH, FEW, SMALL, Code, subject, weight
from torch import Tensor, nn
from torch.nn import functional as F


@case(("N", 1, "H", "W"), N=BATCH, H=SMALL, W=FEW)
def crnn_view(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        f = F.max_pool2d(torch.relu(m.c(x)), 2)
        b, c, h, w = f.size()
        return m.fc(f.permute(0, 3, 1, 2).contiguous().view(b * w, c * h)).view(b, w, -1)

    return subject(Code(forward, c=nn.Conv2d(1, 4, 3, padding=1), fc=nn.Linear(64, 5)), (1, 1, 32, 40))


@case(("N", 4, "H", "W"), N=BATCH, H=SMALL, W=FEW)
def crnn_reshape(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        f = m.pool(x)
        b, c, h, w = f.shape
        return m.fc(f.permute(0, 3, 1, 2).reshape(b, w, c * h))

    return subject(Code(forward, pool=nn.MaxPool2d(2), fc=nn.Linear(64, 5)), (1, 4, 32, 40))


@case(("N", 4, "H", "W"), N=BATCH, H=SMALL, W=FEW)
def crnn_flatten(_: Path) -> Subject:
    return subject(
        Code(
            lambda m, x: m.fc(m.pool(x).permute(0, 3, 1, 2).flatten(2)),
            pool=nn.MaxPool2d(2),
            fc=nn.Linear(64, 5),
        ),
        (2, 4, 32, 40),
    )


@case(("N", 4, "H", "W"), N=BATCH, H=SMALL, W=FEW)
def crnn_minus_one(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        f = m.pool(x)
        b, w = f.shape[0], f.shape[3]
        return m.fc(f.permute(0, 3, 1, 2).reshape(b, w, -1))

    return subject(Code(forward, pool=nn.MaxPool2d(2, ceil_mode=True), fc=nn.Linear(64, 5)), (1, 4, 32, 40))


@case(("N", 1, "H", "W"), N=[1, 2], H=[14, 15, 16, 17, 18, 24, 30, 31, 32, 33, 34, 35, 48, 64], W=FEW)
def crnn_height_must_be_one(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        f = m.c(x)
        assert f.size(2) == 1, "the height must be 1"
        return m.fc(f.squeeze(2).permute(2, 0, 1))

    front = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 8, (16, 1)))
    return subject(Code(forward, c=front, fc=nn.Linear(8, 5)), (1, 1, 32, 40))


PATCHED = [8, 15, 16, 17, 32, 64, 112, 192, 208, 223, 224, 225, 239, 240, 256, 384, 448]


@case((1, 3, "H", "W"), H=PATCHED, W=PATCHED)
def patch_square_positions(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.p(x).flatten(2).transpose(1, 2)
        table = m.pos
        if y.shape[1] != 196:
            s = int(y.shape[1] ** 0.5)
            grid = m.pos.transpose(1, 2).reshape(1, 4, 14, 14)
            table = F.interpolate(grid, (s, s)).flatten(2).transpose(1, 2)
        return y + table

    return subject(Code(forward, p=nn.Conv2d(3, 4, 16, 16), pos=weight(1, 196, 4)), (1, 3, 224, 224))


@case(("N", 3, "H", "W"), N=[1, 2], H=PATCHED, W=PATCHED)
def patch_positions_by_grid(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.p(x)
        h, w = y.shape[2:]
        table = m.pos
        if (h, w) != (14, 14):
            table = F.interpolate(m.pos, (h, w), mode="bicubic")
        return (y + table).flatten(2).transpose(1, 2)

    return subject(Code(forward, p=nn.Conv2d(3, 4, 16, 16), pos=weight(1, 4, 14, 14)), (1, 3, 224, 224))


@case(("N", 3, "H", "W"), N=BATCH, H=PATCHED, W=PATCHED)
def vit_table_and_class_token(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.p(x).flatten(2).transpose(1, 2)
        y = torch.cat([m.cls.expand(y.shape[0], -1, -1), y], 1)
        return m.norm(y + m.pos)[:, 0]

    return subject(
        Code(
            forward,
            p=nn.Conv2d(3, 4, 16, 16),
            cls=weight(1, 1, 4),
            pos=weight(1, 197, 4),
            norm=nn.LayerNorm(4),
        ),
        (1, 3, 224, 224),
    )


@case(("N", 3, "H", "W"), N=[1, 2], H=PATCHED, W=PATCHED)
def vit_asserts_its_size(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        assert x.shape[-2] % 32 == 0, "height"
        assert x.shape[-1] % 16 == 0, "width"
        return m.p(x).mean((2, 3))

    return subject(Code(forward, p=nn.Conv2d(3, 4, 16, 16)), (1, 3, 64, 48))


@case(("N", "T", 3, "H", "W"), N=[1, 2], T=[1, 2, 3, 4, 8], H=[1, 2, 3, 4, 7, 8, 9, 16], W=[3, 4, 8])
def frames_in_the_batch(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        b, t = x.shape[:2]
        y = m.c(x.flatten(0, 1)).mean((2, 3))
        return m.fc(y.view(b, t, -1).mean(1))

    return subject(Code(forward, c=nn.Conv2d(3, 4, 3), fc=nn.Linear(4, 5)), (2, 4, 3, 16, 16))


@case(("N", 3, "H", "W"), N=[1, 2, 3, 4, 5, 6, 8, 12, 16], H=[2, 3, 8], W=[3, 8])
def batch_of_eight_frames(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.c(x).mean((2, 3))
        return m.fc(y.view(-1, 8, 4).transpose(1, 2).reshape(-1, 32))

    return subject(Code(forward, c=nn.Conv2d(3, 4, 3, padding=1), fc=nn.Linear(32, 5)), (8, 3, 8, 8))


WINDOWED = [4, 7, 27, 28, 29, 32, 35, 55, 56, 57, 60, 84, 100, 112, 140, 196, 200, 224]


@case(("N", 3, "H", "W"), N=[1, 2], H=WINDOWED, W=WINDOWED)
def windows_of_seven(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.p(x)
        b, c, h, w = y.shape
        y = y.view(b, c, h // 7, 7, w // 7, 7).permute(0, 2, 4, 3, 5, 1)
        return m.fc(y.reshape(-1, 49, c))

    return subject(Code(forward, p=nn.Conv2d(3, 4, 4, 4), fc=nn.Linear(4, 4)), (1, 3, 56, 84))


@case(("N", 3, "H", "W"), N=[1, 2], H=WINDOWED, W=WINDOWED)
def windows_padded(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.p(x).permute(0, 2, 3, 1)
        b, h, w, c = y.shape
        y = F.pad(y, (0, 0, 0, (7 - w % 7) % 7, 0, (7 - h % 7) % 7))
        high, wide = y.shape[1:3]
        win = y.view(b, high // 7, 7, wide // 7, 7, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 49, c)
        win = m.fc(win).view(b, high // 7, wide // 7, 7, 7, c).permute(0, 1, 3, 2, 4, 5)
        return win.reshape(b, high, wide, c)[:, :h, :w]

    return subject(Code(forward, p=nn.Conv2d(3, 4, 4, 4), fc=nn.Linear(4, 4)), (1, 3, 56, 84))


@case(("N", 3, "H", "W"), N=[1, 2], H=[8, 15, 16, 24, 28, 32, 48, 56, 64], W=[8, 16, 24, 32, 48, 60, 64])
def shifted_windows_and_merging(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.p(x).permute(0, 2, 3, 1)
        for fc in (m.one, m.two):
            b, h, w, c = y.shape
            y = torch.roll(y, (-2, -2), (1, 2))
            win = y.view(b, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 16, c)
            y = fc(win).view(b, h // 4, w // 4, 4, 4, -1).transpose(2, 3).reshape(b, h, w, -1)
            y = torch.cat([y[:, 0::2, 0::2], y[:, 1::2, 0::2], y[:, 0::2, 1::2], y[:, 1::2, 1::2]], -1)
        return y.mean((1, 2))

    return subject(
        Code(forward, p=nn.Conv2d(3, 4, 2, 2), one=nn.Linear(4, 4), two=nn.Linear(16, 3)), (1, 3, 32, 48)
    )


def _unet_layers() -> dict[str, nn.Module]:
    return {
        "a": nn.Conv2d(3, 4, 3, padding=1),
        "b": nn.Conv2d(4, 8, 3, padding=1),
        "d": nn.Conv2d(8, 8, 3, padding=1),
        "u2": nn.ConvTranspose2d(8, 8, 2, 2),
        "u1": nn.ConvTranspose2d(16, 4, 2, 2),
        "c": nn.Conv2d(8, 2, 3, padding=1),
    }


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def unet_concat(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        one = m.a(x)
        two = m.b(F.max_pool2d(one, 2))
        low = m.d(F.max_pool2d(two, 2))
        y = m.u1(torch.cat([m.u2(low), two], 1))
        return m.c(torch.cat([y, one], 1))

    return subject(Code(forward, **_unet_layers()), (1, 3, 32, 40))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def unet_pads(_: Path) -> Subject:
    def up(layer: Any, y: Tensor, skip: Tensor) -> Tensor:
        y = layer(y)
        dy, dx = skip.size(2) - y.size(2), skip.size(3) - y.size(3)
        return torch.cat([skip, F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])], 1)

    def forward(m: Any, x: Tensor) -> Tensor:
        one = m.a(x)
        two = m.b(F.max_pool2d(one, 2))
        return m.c(up(m.u1, up(m.u2, m.d(F.max_pool2d(two, 2)), two), one))

    return subject(Code(forward, **_unet_layers()), (1, 3, 32, 40))


@case(("N", 3, "H", "W"), N=[1, 2], H=[*SMALL, 50, 60, 70], W=[8, 16, 20, 21, 22, 23, 24, 31, 32, 40, 64])
def unet_crops(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        one = m.a(x)
        y = m.u(m.b(F.max_pool2d(one, 2)))
        top, left = (one.shape[2] - y.shape[2]) // 2, (one.shape[3] - y.shape[3]) // 2
        one = one[:, :, top : top + y.shape[2], left : left + y.shape[3]]
        return m.c(torch.cat([one, y], 1))

    layers = {"a": nn.Conv2d(3, 4, 3), "b": nn.Conv2d(4, 8, 3), "u": nn.ConvTranspose2d(8, 4, 2, 2)}
    return subject(Code(forward, **layers, c=nn.Conv2d(8, 2, 3)), (1, 3, 32, 40))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def unet_resizes(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        one = m.a(x)
        y = F.interpolate(m.b(F.max_pool2d(one, 2)), size=one.shape[2:], mode="bilinear")
        return torch.cat([one, y], 1)

    return subject(Code(forward, a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(4, 8, 3, padding=1)), (1, 3, 32, 40))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def unet_pads_to_a_multiple(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        x = F.pad(x, (0, -w % 8, 0, -h % 8), mode="reflect")
        y = m.u(m.b(m.a(x)))
        return torch.cat([x, y], 1)[..., :h, :w]

    layers = {"a": nn.Conv2d(3, 4, 2, 2), "b": nn.Conv2d(4, 4, 4, 4), "u": nn.ConvTranspose2d(4, 4, 8, 8)}
    return subject(Code(forward, **layers), (1, 3, 32, 40))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def pyramid_sums(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> Tensor:
        one = m.a(x)
        two = m.b(one)
        return m.lat(one) + F.interpolate(two, scale_factor=2.0, mode="nearest")

    layers = {"a": nn.Conv2d(3, 4, 3, 2, 1), "b": nn.Conv2d(4, 6, 3, 2, 1), "lat": nn.Conv2d(4, 6, 1)}
    return subject(Code(forward, **layers), (1, 3, 32, 48))


@case(("N", 3, "H", "W"), N=[1, 2], H=SMALL, W=FEW)
def pyramid_sums_by_size(_: Path) -> Subject:
    def forward(m: Any, x: Tensor) -> list[Tensor]:
        maps = [m.a(x)]
        for layer in (m.b, m.c):
            maps.append(layer(maps[-1]))
        for i in (2, 1):
            maps[i - 1] = maps[i - 1] + F.interpolate(maps[i], size=maps[i - 1].shape[-2:])
        return maps

    layers = {"a": nn.Conv2d(3, 4, 3, 2), "b": nn.Conv2d(4, 4, 3, 2), "c": nn.Conv2d(4, 4, 3, 2)}
    return subject(Code(forward, **layers), (1, 3, 32, 48))
