"""A dense layer stands behind a Flatten, and the picture's sizes are open."""

import keras
import numpy as np
from keras import layers

LAYER = "scores"
CAUSE = "open-size"
FIX = "layers.GlobalAveragePooling2D() instead of layers.Flatten()"
REPAIR = ("layers.Flatten()", "layers.GlobalAveragePooling2D()")


inputs = keras.Input((None, None, 3), name="image")
x = layers.Conv2D(16, 3, activation="relu")(inputs)
x = layers.MaxPooling2D()(x)
x = layers.Flatten()(x)
outputs = layers.Dense(5, activation="softmax", name="scores")(x)
model = keras.Model(inputs, outputs)
model.predict(np.zeros((4, 40, 48, 3), "float32"), verbose=0)
