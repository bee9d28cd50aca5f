"""Two encodings are multiplied along axes of different lengths."""

import keras
from keras import layers

LAYER = "dot"
CAUSE = "swapped-axes"
FIX = 'axes=2 in "dot"'
REPAIR = ("axes=1", "axes=2")


a = keras.Input((7, 16), name="question")
b = keras.Input((9, 16), name="answer")
y = layers.Dot(axes=1, name="dot")([a, b])
