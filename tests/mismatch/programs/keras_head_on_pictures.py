"""The dense head reads pictures that are not flattened."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "not-flattened"
FIX = "layers.MaxPooling2D(4), layers.Flatten() instead of layers.MaxPooling2D(4)"
REPAIR = ("layers.MaxPooling2D(4)", "layers.MaxPooling2D(4), layers.Flatten()")


x = np.zeros((16, 36, 28, 3), "float32")
y = np.arange(16 * 1).reshape(16, 1) % 2
model = keras.Sequential(
    [
        keras.Input((36, 28, 3)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(4),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("adam", "binary_crossentropy")
model.fit(x, y, batch_size=8, epochs=1, verbose=0)
