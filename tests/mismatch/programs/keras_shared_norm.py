"""One normalization serves two convolutions of different widths."""

import keras
import numpy as np
from keras import layers

LAYER = "norm"
CAUSE = "features"
FIX = 'filters=16 in "second"'
REPAIR = ("layers.Conv2D(32, 3,", "layers.Conv2D(16, 3,")


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(16, 3, name="first")
        self.second = layers.Conv2D(32, 3, name="second")
        self.norm = layers.BatchNormalization(name="norm")

    def call(self, x):
        return self.norm(self.second(self.norm(self.first(x))))


Net()(np.zeros((5, 20, 24, 3), "float32"))
