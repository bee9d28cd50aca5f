"""Networks in PyTorch and in Keras that store the same weights in other layers, layouts and names."""

from __future__ import annotations

from typing import Any

import keras
import torch
from torch import nn

from .matrix.torch_networks import Depthwise


def keras_depthwise() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((9, 8, 3))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="d")(x)
    x = layers.Conv2D(10, 1, activation="relu", name="p")(x)
    x = layers.SeparableConv2D(7, (3, 2), activation="tanh", name="s")(x)
    return keras.Model(inputs, layers.Dense(4, name="o")(layers.Flatten()(x)))


class UNet(nn.Module):
    """A transposed convolution of stride 2, a skip, batch norms; C2 H12 W8."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.deep = nn.Conv2d(6, 9, 3, padding=1)
        self.up = nn.ConvTranspose2d(9, 5, 2, stride=2)
        self.out = nn.Conv2d(11, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = torch.relu(self.norm(self.down(x)))
        x = torch.relu(self.deep(torch.max_pool2d(skip, 2)))
        return self.out(torch.cat([skip, self.up(x)], 1))


def keras_unet() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((12, 8, 2))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="enc")(x)
    skip = layers.ReLU()(layers.BatchNormalization(name="bn")(x))
    x = layers.Conv2D(9, 3, padding="same", activation="relu", name="mid")(layers.MaxPooling2D(2)(skip))
    x = layers.Conv2DTranspose(5, 2, strides=2, name="dec")(x)
    x = layers.Concatenate()([skip, x])
    return keras.Model(inputs, layers.Conv2D(3, 1, name="mask")(x))


class Stack(nn.Module):
    """A stack of two bidirectional LSTMs as one module, and a GRU; T5 E6."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(8, 7, batch_first=True)
        self.out = nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(self.rnn(x)[0])[0])


def keras_stack() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((5, 6))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="one")(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="two")(x)
    x = layers.GRU(7, return_sequences=True, name="three")(x)
    return keras.Model(inputs, layers.Dense(3, name="four")(x))


class Grouped(nn.Module):
    """Grouped convolutions in one axis, attention and its norm; C6 L11."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(6, 12, 3, groups=3)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.out = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x)).transpose(1, 2)
        return self.out(self.norm(x + self.attention(x, x, x, need_weights=False)[0]))


def keras_grouped() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((11, 6))
    x = layers.Conv1D(12, 3, groups=3, activation="relu", name="conv")(x)
    x = layers.LayerNormalization(epsilon=1e-3, name="ln")(
        x + layers.MultiHeadAttention(3, 4, name="mha")(x, x)
    )
    return keras.Model(inputs, layers.Dense(5, name="dense")(x))


class Folded(nn.Module):
    """Convolutions into which the batch norms are folded that the Keras model has; C3 H7 W9."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(8, 5, (2, 3))
        self.head = nn.Linear(5 * 4 * 5, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))).flatten(1))


def keras_folded() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((7, 9, 3))
    x = layers.Conv2D(8, 3, use_bias=False, name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="first_bn")(x))
    x = layers.Conv2D(5, (2, 3), name="second")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="second_bn")(x))
    return keras.Model(inputs, layers.Dense(6, name="head")(layers.Flatten()(x)))


#: For each network both makers, and the shape of an input with the channels first.
NETWORKS: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
    "depthwise": (Depthwise, keras_depthwise, (2, 3, 9, 8)),
    "unet": (UNet, keras_unet, (2, 2, 12, 8)),
    "stack": (Stack, keras_stack, (2, 5, 6)),
    "grouped": (Grouped, keras_grouped, (2, 6, 11)),
    "folded": (Folded, keras_folded, (2, 3, 7, 9)),
}
