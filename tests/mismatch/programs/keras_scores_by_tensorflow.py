"""Queries are multiplied with keys that are not transposed, by TensorFlow's own function."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

LAYER = "attend/matmul"
CAUSE = "swapped-axes"
FIX = 'layers.Permute((2, 1))(k) before "attend/matmul"'
REPAIR = ("tf.matmul(q, k)", "tf.matmul(q, k, transpose_b=True)")


class Attend(layers.Layer):
    def __init__(self, **given):
        super().__init__(**given)
        self.q, self.k = layers.Dense(8), layers.Dense(8)

    def call(self, x):
        q, k = self.q(x), self.k(x)
        return tf.nn.softmax(tf.matmul(q, k))


model = keras.Sequential([keras.Input((13, 5)), Attend(name="attend")])
model.predict(np.zeros((4, 13, 5)), verbose=0)
