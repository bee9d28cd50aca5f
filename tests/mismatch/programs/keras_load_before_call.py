"""Weights are loaded into a subclass that was never called."""

import tempfile

import keras
from keras import layers

LAYER = "net"
CAUSE = "not-built"
FIX = 'model(keras.ops.zeros((1, 30))); model.load_weights(f"{folder}/w.weights.h5")'
REPAIR = (
    'model.load_weights(f"{folder}/w.weights.h5")',
    'model(keras.ops.zeros((1, 30))); model.load_weights(f"{folder}/w.weights.h5")',
)


class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.a, self.b = layers.Dense(12), layers.Dense(5)

    def call(self, x):
        return self.b(self.a(x))


with tempfile.TemporaryDirectory() as folder:
    first = Net()
    first(keras.ops.ones((1, 30)))
    first.save_weights(f"{folder}/w.weights.h5")
    model = Net(name="net")
    model.load_weights(f"{folder}/w.weights.h5")
    model(keras.ops.ones((1, 30)))
