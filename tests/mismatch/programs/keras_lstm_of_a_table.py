"""A row of numbers is fed to an LSTM."""

import keras
from keras import layers

LAYER = "lstm"
CAUSE = "missing-axis"
FIX = 'keras.Input((12, 1), name="table") instead of keras.Input((12,), name="table")'
REPAIR = ("keras.Input((12,)", "keras.Input((12, 1)")


x = keras.Input((12,), name="table")
y = layers.LSTM(8, name="lstm")(x)
