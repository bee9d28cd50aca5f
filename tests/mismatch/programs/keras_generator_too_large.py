"""The generator makes pictures twice as large as the discriminator was built for."""

import keras
import numpy as np
from keras import layers

LAYER = "out"
CAUSE = "feed"
FIX = "feed keras.ops.image.resize(np.zeros((4, 56, 52, 1)), (28, 26))"
REPAIR = ("np.zeros((4, 56, 52, 1))", "np.zeros((4, 28, 26, 1))")

discriminator = keras.Sequential(
    [
        keras.Input((28, 26, 1), name="pictures"),
        layers.Conv2D(16, 5, strides=2, padding="same"),
        layers.Flatten(),
        layers.Dense(1, name="out"),
    ]
)
discriminator(np.zeros((4, 56, 52, 1)))
