"""A Reshape asks for another number of elements."""

import keras
from keras import layers

LAYER = "shape"
CAUSE = "reshape"
FIX = 'target_shape=(28, -1) in "shape"'
REPAIR = ("(28, 27)", "(28, -1)")


x = keras.Input((784,), name="pixels")
y = layers.Reshape((28, 27), name="shape")(x)
