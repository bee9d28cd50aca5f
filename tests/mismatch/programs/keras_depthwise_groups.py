"""The filters do not divide into that many groups."""

import keras
from keras import layers

LAYER = "depthwise"
CAUSE = "groups"
FIX = 'groups=32 in "depthwise"'
REPAIR = ("groups=64", "groups=32")

x = keras.Input((20, 24, 32))
y = layers.Conv2D(32, 3, groups=64, name="depthwise")(x)
