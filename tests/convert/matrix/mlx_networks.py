"""The networks of the matrix in MLX; images have their channels last."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx import nn


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, (3, 2))
        self.second = nn.Conv2d(5, 10, 3)
        self.hidden = nn.Linear(10 * 4 * 6, 17)
        self.out = nn.Linear(17, 7)

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.second(nn.relu(self.first(x))))
        return self.out(nn.relu(self.hidden(x.reshape(x.shape[0], -1))))


class Depthwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.depth = nn.Conv2d(3, 6, 3, groups=3)
        self.stem = nn.Conv2d(6, 10, 1)
        self.separate = nn.Conv2d(10, 10, (3, 2), groups=10, bias=False)
        self.point = nn.Conv2d(10, 7, 1)
        self.head = nn.Linear(7 * 5 * 5, 4)

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.stem(nn.relu(self.depth(x))))
        x = mx.tanh(self.point(self.separate(x)))
        return self.head(x.reshape(x.shape[0], -1))


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, (3, 2), bias=False)
        self.first_norm = nn.BatchNorm(5)
        self.second = nn.Conv2d(5, 8, (2, 3))
        self.second_norm = nn.BatchNorm(8)
        self.out = nn.Linear(8, 6)

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.first_norm(self.first(x)))
        x = nn.relu(self.second_norm(self.second(x)))
        return self.out(x.mean((1, 2)))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm(6)
        self.deep = nn.Conv2d(6, 9, 3, padding=1)
        self.up = nn.ConvTranspose2d(9, 5, 2, stride=2)
        self.mask = nn.Conv2d(11, 3, 1)
        self.wide = nn.ConvTranspose2d(3, 4, (3, 2))
        self.pool = nn.MaxPool2d(2, 2)

    def __call__(self, x: mx.array) -> mx.array:
        skip = nn.relu(self.norm(self.down(x)))
        x = self.up(nn.relu(self.deep(self.pool(skip))))
        return self.wide(self.mask(mx.concatenate([skip, x], -1)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.forward_rnn = nn.LSTM(6, 4)
        self.backward_rnn = nn.LSTM(6, 4)
        self.gru = nn.GRU(8, 7)
        self.out = nn.Linear(7, 3)

    def __call__(self, x: mx.array) -> mx.array:
        y = self.forward_rnn(x)[0]
        z = self.backward_rnn(x[:, ::-1])[0][:, ::-1]
        return self.out(self.gru(mx.concatenate([y, z], -1)))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiHeadAttention(12, 3, bias=True)
        self.norm = nn.LayerNorm(12)
        self.out = nn.Linear(12, 5)

    def __call__(self, x: mx.array) -> mx.array:
        return self.out(self.norm(x + self.attention(x, x, x)))


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(6, 12, 3, groups=3)
        self.second = nn.Conv1d(12, 8, 2, groups=4)
        self.out = nn.Conv1d(8, 5, 1)

    def __call__(self, x: mx.array) -> mx.array:
        return self.out(nn.relu(self.second(nn.relu(self.first(x)))))


NETWORKS: dict[str, Any] = {
    "cnn": Cnn, "depthwise": Depthwise, "norms": Norms, "unet": UNet, "recurrent": Recurrent,
    "attention": Attention, "grouped": Grouped,
}  # fmt: skip
