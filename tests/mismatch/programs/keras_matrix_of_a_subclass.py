"""A layer multiplies by a matrix that stands the other way."""

import keras
import numpy as np

LAYER = "matmul"
CAUSE = "swapped-axes"
FIX = 'keras.ops.transpose(constant, (1, 0)) before "matmul"'
REPAIR = ("x, self.kernel", "x, keras.ops.transpose(self.kernel)")


class Scores(keras.layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, 5), name="kernel")

    def call(self, x):
        return keras.ops.matmul(x, self.kernel)


Scores()(np.zeros((6, 5), "float32"))
