"""The declared picture has its channels first."""

import keras
from keras import layers

LAYER = "halve"
CAUSE = "channels-first-shape"
FIX = "keras.Input((48, 40, 1)) instead of keras.Input((1, 48, 40))"
REPAIR = ("(1, 48, 40)", "(48, 40, 1)")


inputs = keras.Input((1, 48, 40))
c1 = layers.Conv2D(8, 3, padding="same")(inputs)
p1 = layers.MaxPooling2D(2, name="halve")(c1)
c2 = layers.Conv2D(16, 3, padding="same")(p1)
model = keras.Model(inputs, layers.GlobalAveragePooling2D()(c2))
