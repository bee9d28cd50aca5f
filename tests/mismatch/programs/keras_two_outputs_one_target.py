"""The model has two outputs, and the data has one target."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "several-outputs"
FIX = "y=[kind, age]"
REPAIR = ("model.fit(x, kind,", "model.fit(x, [kind, np.zeros((6, 1))],")

table = keras.Input((8,), name="table")
hidden = layers.Dense(7, name="hidden")(table)
outputs = [layers.Dense(3, name="kind")(hidden), layers.Dense(1, name="age")(hidden)]
model = keras.Model(table, outputs)
model.compile("sgd", loss=["mse", "mae"])
x, kind = np.zeros((6, 8)), np.zeros((6, 3))
model.fit(x, kind, verbose=0)
