"""Dilated, strided and causal layers of odd sizes fit."""

import keras
import numpy as np
from keras import layers

model = keras.Sequential(
    [
        keras.Input((53, 3), name="series"),
        layers.Conv1D(7, 4, padding="causal", dilation_rate=3),
        layers.Conv1D(5, 3, strides=2, padding="same"),
        layers.LSTM(4),
    ]
)
assert model(np.zeros((2, 53, 3), "float32")).shape == (2, 4)
