"""The two sides of a residual block differ in their channels."""

import keras
from keras import layers

LAYER = "add"
CAUSE = "features"
FIX = 'layers.Conv2D(32, 1, strides=1)(picture) before "add"'
REPAIR = ("([x, y])", "([layers.Conv2D(32, 1)(x), y])")


x = keras.Input((20, 24, 16), name="picture")
y = layers.Conv2D(32, 3, padding="same", name="conv")(x)
z = layers.Add(name="add")([x, y])
