"""Gray films have no axis of channels."""

import keras
from keras import layers

LAYER = "film"
CAUSE = "no-channel"
FIX = 'keras.Input((10, 40, 30, 1), name="frames") instead of keras.Input((10, 40, 30), name="frames")'
REPAIR = ("keras.Input((10, 40, 30),", "keras.Input((10, 40, 30, 1),")

x = keras.Input((10, 40, 30), name="frames")
y = layers.ConvLSTM2D(8, 3, name="film")(x)
