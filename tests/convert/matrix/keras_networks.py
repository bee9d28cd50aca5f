"""The networks of the matrix in Keras; images have their channels last."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def cnn() -> keras.Model:
    x = inputs = keras.Input((8, 9, 3))
    x = layers.Conv2D(5, (3, 2), activation="relu", name="first")(x)
    x = layers.Conv2D(10, 3, activation="relu", name="second")(x)
    x = layers.Dense(17, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(7, name="out")(x))


def depthwise() -> keras.Model:
    x = inputs = keras.Input((9, 8, 3))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="depth")(x)
    x = layers.Conv2D(10, 1, activation="relu", name="stem")(x)
    x = layers.SeparableConv2D(7, (3, 2), activation="tanh", name="separate")(x)
    return keras.Model(inputs, layers.Dense(4, name="head")(layers.Flatten()(x)))


def norms() -> keras.Model:
    x = inputs = keras.Input((8, 9, 3))
    x = layers.Conv2D(5, (3, 2), use_bias=False, name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="first_norm")(x))
    x = layers.Conv2D(8, (2, 3), name="second")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="second_norm")(x))
    return keras.Model(inputs, layers.Dense(6, name="out")(layers.GlobalAveragePooling2D()(x)))


def unet() -> keras.Model:
    x = inputs = keras.Input((12, 8, 2))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="down")(x)
    skip = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(9, 3, padding="same", activation="relu", name="deep")(layers.MaxPooling2D(2)(skip))
    x = layers.Conv2DTranspose(5, 2, strides=2, name="up")(x)
    x = layers.Conv2D(3, 1, name="mask")(layers.Concatenate()([skip, x]))
    return keras.Model(inputs, layers.Conv2DTranspose(4, (3, 2), name="wide")(x))


def recurrent() -> keras.Model:
    x = inputs = keras.Input((5, 6))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    x = layers.GRU(7, return_sequences=True, name="gru")(x)
    return keras.Model(inputs, layers.Dense(3, name="out")(x))


def attention() -> keras.Model:
    x = inputs = keras.Input((5, 12))
    x = layers.LayerNormalization(name="norm")(x + layers.MultiHeadAttention(3, 4, name="attention")(x, x))
    return keras.Model(inputs, layers.Dense(5, name="out")(x))


def grouped() -> keras.Model:
    x = inputs = keras.Input((11, 6))
    x = layers.Conv1D(12, 3, groups=3, activation="relu", name="first")(x)
    x = layers.Conv1D(8, 2, groups=4, activation="relu", name="second")(x)
    return keras.Model(inputs, layers.Conv1D(5, 1, name="out")(x))


NETWORKS: dict[str, Any] = {
    "cnn": cnn, "depthwise": depthwise, "norms": norms, "unet": unet, "recurrent": recurrent,
    "attention": attention, "grouped": grouped,
}  # fmt: skip
