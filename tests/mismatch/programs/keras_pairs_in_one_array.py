"""A net that compares two pictures is given them as one array."""

import keras
import numpy as np
from keras import layers

LAYER = "left"
CAUSE = "several-inputs"
FIX = "feed [x[:, 0], x[:, 1]]"
REPAIR = ("model.fit(pairs,", "model.fit([pairs[:, 0], pairs[:, 1]],")

left, right = keras.Input((9, 7, 1), name="left"), keras.Input((9, 7, 1), name="right")
y = layers.Dense(1)(layers.Flatten()(layers.Subtract()([left, right])))
model = keras.Model([left, right], y)
model.compile("sgd", "mse")
pairs = np.zeros((6, 2, 9, 7, 1))
model.fit(pairs, np.zeros((6, 1)), verbose=0)
