"""The table has lost a column."""

import keras
import numpy as np
from keras import layers

LAYER = "hidden"
CAUSE = "features"
FIX = 'keras.Input((7,), name="table") instead of keras.Input((8,), name="table")'
REPAIR = ("keras.Input((8,)", "keras.Input((7,)")


model = keras.Sequential(
    [keras.Input((8,), name="table"), layers.Dense(16, name="hidden"), layers.Dense(1, name="out")]
)
model.compile("sgd", loss="mse")
model.fit(np.zeros((6, 7)), np.zeros((6, 1)), verbose=0)
