"""A single row of a table is given to the model, without a batch axis."""

import keras
import numpy as np
from keras import layers

LAYER = "table"
CAUSE = "no-batch"
FIX = "feed row[None]"
REPAIR = ("model(row)", "model(row[None])")


table = np.zeros((50, 12), "float32")
model = keras.Sequential(
    [keras.Input((12,), name="table"), layers.Dense(8, activation="relu"), layers.Dense(3)]
)
row = table[0]
print(model(row))
