"""The net halves the pictures once more than it enlarges them again."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "output-size"
FIX = 'layers.Resizing(32, 48)(scores) before "loss"'
REPAIR = ("strides=2, padding", "strides=1, padding")

model = keras.Sequential(
    [
        keras.Input((32, 48, 3), name="pictures"),
        layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.Conv2D(5, 1, activation="softmax", name="scores"),
    ]
)
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(np.zeros((6, 32, 48, 3)), np.zeros((6, 32, 48)), batch_size=3, verbose=0)
