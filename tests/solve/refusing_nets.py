"""Networks that refuse what they are fed, and such that take nested inputs or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Windows(nn.Module):
    """Patches of 4, windows of 7: only multiples of 28, and a few more, fit."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patch(x)
        b, c, h, w = y.shape
        return self.head(y.view(b, c, h // 7, 7, w // 7, 7).mean((2, 3, 4, 5)))


class Nested(nn.Module):
    """Takes a dict of tensors and of dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.table = nn.Conv2d(3, 4, 3), nn.Linear(5, 4)

    def forward(self, batch: Mapping[str, Any]) -> Tensor:
        return self.conv(batch["image"]).mean((2, 3)) + self.table(batch["more"]["row"])


class Captioned(nn.Module):
    """Takes a text of at most 7 words and a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.words = nn.Conv2d(3, 4, 3), nn.Embedding(9, 4)
        self.places = nn.Parameter(torch.zeros(1, 7, 4))

    def forward(self, ids: Tensor, picture: Tensor) -> Tensor:
        words = self.words(ids)
        words = words + self.places[:, : words.shape[1]]
        return self.conv(picture).mean((2, 3)) + words.mean(1)


class Frames(nn.Module):
    """Takes any number of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, *frames: Tensor) -> Tensor:
        return torch.stack([self.conv(frame) for frame in frames])


class Defaults(nn.Module):
    """A forward of defaults alone, which still needs an input."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, ids: Tensor | None = None, **_: Any) -> Tensor:
        if ids is None:
            raise ValueError("ids or embeddings")
        return self.table(ids)


class Tokens(nn.Module):
    """Ids, types and a mask of one length, for which 32 positions are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(50, 8), nn.Embedding(32, 8), nn.Embedding(2, 8)

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])
        return (self.words(ids) + self.places(places) + self.types(types)) * mask.unsqueeze(-1)


windows, nested, frames, defaults, tokens = Windows(), Nested(), Frames(), Defaults(), Tokens()
captioned = Captioned()
