"""The channels of the input do not divide into that many groups."""

import keras
from keras import layers

LAYER = "grouped"
CAUSE = "groups"
FIX = 'groups=6 in "grouped"'
REPAIR = ("groups=8", "groups=6")

x = keras.Input((20, 24, 18), name="x")
y = layers.Conv2D(48, 3, groups=8, name="grouped")(x)
