"""MNIST has no channel axis, and a convolution wants one."""

import keras
from keras import layers

LAYER = "conv"
CAUSE = "no-channel"
FIX = 'keras.Input((28, 28, 1), name="picture") instead of keras.Input((28, 28), name="picture")'
REPAIR = ("keras.Input((28, 28)", "keras.Input((28, 28, 1)")


x = keras.Input((28, 28), name="picture")
y = layers.Conv2D(8, 3, name="conv")(x)
