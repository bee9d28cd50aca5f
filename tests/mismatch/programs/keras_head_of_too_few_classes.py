"""A label is outside of the classes that the head knows."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "class-index"
FIX = 'units=7 in "out"'
REPAIR = ("layers.Dense(5, activation", "layers.Dense(7, activation")

model = keras.Sequential([keras.Input((8,), name="table"), layers.Dense(5, activation="softmax", name="out")])
model.compile("sgd", loss="sparse_categorical_crossentropy")
model.fit(np.zeros((4, 8)), np.array([0, 6, 2, 5]), verbose=0)
