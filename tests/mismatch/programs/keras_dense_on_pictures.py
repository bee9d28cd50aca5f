"""A model of 784 numbers is called on pictures."""

import keras
import numpy as np
from keras import layers

LAYER = "pixels"
CAUSE = "not-flattened"
FIX = "feed pictures.reshape(*pictures.shape[:1], -1)"
REPAIR = ("model(pictures)", "model(pictures.reshape(4, -1))")


model = keras.Sequential([keras.Input((784,), name="pixels"), layers.Dense(64), layers.Dense(10)])
pictures = np.zeros((4, 28, 28), "float32")
model(pictures)
