"""Ports: the Keras side of torch networks and the torch side of a Keras one, with the same names."""

from __future__ import annotations

from typing import Any

import keras
import torch
from keras import layers as K
from torch import nn

#: What torch's batch norms are built with.
NORM = {"epsilon": 1e-5, "momentum": 0.9}


def unet(height: int, width: int) -> keras.Model:
    """The U-Net of the questions: two pools down, two transposed convolutions up, skips joined."""
    x = image = keras.Input((height, width, 3))
    a = K.Conv2D(8, 3, padding="same", name="in1")(x)
    b = K.Conv2D(16, 3, padding="same", name="in2")(K.MaxPooling2D()(a))
    c = K.Conv2D(32, 3, padding="same", name="mid")(K.MaxPooling2D()(b))
    c = K.Conv2DTranspose(16, 2, 2, name="up2")(c)
    b = K.Conv2DTranspose(8, 2, 2, name="up1")(K.Concatenate()([c, b]))
    return keras.Model(image, K.Conv2D(2, 1, name="out")(K.Concatenate()([b, a])))


def resnet(height: int, width: int) -> keras.Model:
    """The small ResNet, with torch's symmetric padding written out."""

    def conv(x: Any, name: str, filters: int, kernel: int, stride: int = 1) -> Any:
        x = K.ZeroPadding2D(kernel // 2)(x) if kernel > 1 else x
        return K.Conv2D(filters, kernel, stride, use_bias=False, name=name)(x)

    def block(x: Any, path: str, filters: int, stride: int) -> Any:
        y = K.ReLU()(K.BatchNormalization(**NORM, name=f"{path}.bn1")(conv(x, f"{path}.conv1", filters, 1)))
        y = conv(y, f"{path}.conv2", filters, 3, stride)
        y = K.ReLU()(K.BatchNormalization(**NORM, name=f"{path}.bn2")(y))
        y = K.BatchNormalization(**NORM, name=f"{path}.bn3")(conv(y, f"{path}.conv3", 4 * filters, 1))
        if stride != 1 or x.shape[-1] != 4 * filters:
            x = conv(x, f"{path}.shortcut.0", 4 * filters, 1, stride)
            x = K.BatchNormalization(**NORM, name=f"{path}.shortcut.1")(x)
        return K.ReLU()(K.Add()([y, x]))

    image = keras.Input((height, width, 3))
    x = K.ReLU()(K.BatchNormalization(**NORM, name="bn1")(conv(image, "conv1", 8, 7, 2)))
    x = K.MaxPooling2D(3, 2)(K.ZeroPadding2D(1)(x))
    x = block(x, "layers.0.0", 8, 1)
    x = block(block(x, "layers.1.0", 16, 2), "layers.1.1", 16, 1)
    return keras.Model(image, K.Dense(11, name="fc")(K.GlobalAveragePooling2D()(x)))


def mobile(height: int, width: int) -> keras.Model:
    """One inverted residual: widened, depthwise, narrowed."""
    x = image = keras.Input((height, width, 9))
    x = K.Conv2D(27, 1, name="expand")(x)
    x = K.DepthwiseConv2D(5, padding="same", name="depthwise")(x)
    return keras.Model(image, K.Conv2D(9, 1, name="project")(x))


class Mobile(nn.Sequential):
    """The same in torch."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(9, 27, 1)
        self.depthwise = nn.Conv2d(27, 27, 5, padding=2, groups=27)
        self.project = nn.Conv2d(27, 9, 1)


class Text(nn.Module):
    """The text network of the questions: convolutions of 4, 3 and 2 words, the largest of each filter."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding_1 = nn.Embedding(50, 5)
        self.conv_4, self.conv_3, self.conv_2 = (nn.Conv1d(5, 2, words) for words in (4, 3, 2))
        self.classes = nn.Linear(6, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.embedding_1(words).transpose(1, 2)
        largest = [conv(x).amax(2) for conv in (self.conv_4, self.conv_3, self.conv_2)]
        return self.classes(torch.cat(largest, 1)).softmax(1)
