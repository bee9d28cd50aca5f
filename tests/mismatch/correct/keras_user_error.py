"""A layer that raises something of its own is left alone."""

import keras
from keras import layers

RAISES = "KeyError"


class Lookup(layers.Layer):
    def call(self, inputs):
        return inputs["missing"]


Lookup()({"present": keras.Input((3,))})
