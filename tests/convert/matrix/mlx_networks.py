"""The networks of the matrix in MLX; images have their channels last."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx import nn

from . import layers


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.cnn(nn))

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.second(nn.relu(self.first(x))))
        return self.out(nn.relu(self.hidden(x.reshape(x.shape[0], -1))))


class Depthwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.depthwise(nn))

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.stem(nn.relu(self.depth(x))))
        x = mx.tanh(self.point(self.separate(x)))
        return self.head(x.reshape(x.shape[0], -1))


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.norms(nn, nn.BatchNorm))

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.first_norm(self.first(x)))
        x = nn.relu(self.second_norm(self.second(x)))
        return self.out(x.mean((1, 2)))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers.add(self, layers.unet(nn, nn.BatchNorm))
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
        layers.add(self, layers.grouped(nn))

    def __call__(self, x: mx.array) -> mx.array:
        return self.out(nn.relu(self.second(nn.relu(self.first(x)))))


NETWORKS: dict[str, Any] = {
    "cnn": Cnn, "depthwise": Depthwise, "norms": Norms, "unet": UNet, "recurrent": Recurrent,
    "attention": Attention, "grouped": Grouped,
}  # fmt: skip
