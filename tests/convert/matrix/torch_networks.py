"""The networks of the matrix in PyTorch; images have their channels first."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from . import layers


class Cnn(nn.Module):
    """Convolutions and a flatten; C3 H8 W9."""

    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.cnn(nn))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.out(torch.relu(self.hidden(x.flatten(1))))


class Depthwise(nn.Module):
    """A depthwise convolution of multiplier 2, a separable one, a flatten; C3 H9 W8."""

    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.depthwise(nn))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(torch.relu(self.depth(x))))
        return self.head(torch.tanh(self.point(self.separate(x))).flatten(1))


class Norms(nn.Module):
    """Batch norms after a convolution with a bias and one without; C3 H8 W9."""

    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.norms(nn, nn.BatchNorm2d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first_norm(self.first(x)))
        x = torch.relu(self.second_norm(self.second(x)))
        return self.out(x.mean((2, 3)))


class UNet(nn.Module):
    """Transposed convolutions of stride 2 and 1, a skip; C2 H12 W8."""

    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.unet(nn, nn.BatchNorm2d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = torch.relu(self.norm(self.down(x)))
        x = torch.relu(self.deep(torch.max_pool2d(skip, 2)))
        return self.wide(self.mask(torch.cat([skip, self.up(x)], 1)))


class Recurrent(nn.Module):
    """A bidirectional LSTM and a GRU; T5 E6."""

    def __init__(self) -> None:
        super().__init__()
        self.both = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 7, batch_first=True)
        self.out = nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(self.both(x)[0])[0])


class Attention(nn.Module):
    """Attention of three heads and a norm; T5 E12."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.out = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.norm(x + self.attention(x, x, x, need_weights=False)[0]))


class Grouped(nn.Module):
    """Grouped convolutions in one axis; C6 L11."""

    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.grouped(nn))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.second(torch.relu(self.first(x)))))


NETWORKS: dict[str, Any] = {
    "cnn": Cnn, "depthwise": Depthwise, "norms": Norms, "unet": UNet, "recurrent": Recurrent,
    "attention": Attention, "grouped": Grouped,
}  # fmt: skip
