"""A layer was built for other features than it gets."""

import keras
import numpy as np
from keras import layers

LAYER = "second"
CAUSE = "features"
FIX = '4 input features for "second"'
REPAIR = ("self.second.build((None, 7))", "self.second.build((None, 4))")


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4, name="first")
        self.second = layers.Dense(3, name="second")
        self.second.build((None, 7))

    def call(self, x):
        return self.second(self.first(x))


Net()(np.zeros((2, 5), "float32"))
