"""The branch halves the picture, and the shortcut does not."""

import keras
from keras import layers

LAYER = "sum"
CAUSE = "space"
FIX = 'layers.Conv2D(16, 1, strides=2)(pictures) before "sum"'
REPAIR = ("[y, x]", "[y, layers.Conv2D(16, 1, strides=2)(x)]")

x = keras.Input((32, 40, 16), name="pictures")
y = layers.Conv2D(16, 3, strides=2, padding="same")(x)
z = layers.Add(name="sum")([y, x])
