"""The weights file has a head for other classes."""

import tempfile

import keras
from keras import layers

LAYER = "out"
CAUSE = "other-classes"
FIX = "net(10) instead of net(4)"
REPAIR = ("net(4).load_weights", "net(10).load_weights")


def net(classes):
    return keras.Sequential([keras.Input((8,), name="table"), layers.Dense(classes, name="out")])


with tempfile.TemporaryDirectory() as folder:
    net(10).save_weights(f"{folder}/net.weights.h5")
    net(4).load_weights(f"{folder}/net.weights.h5")
