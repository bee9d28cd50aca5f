"""The weights file was made for pictures of three channels."""

import tempfile

import keras
from keras import layers

LAYER = "first"
CAUSE = "state-dict"
FIX = "net(3) instead of net(1)"
REPAIR = ("net(1).load_weights", "net(3).load_weights")


def net(channels):
    return keras.Sequential([keras.Input((16, 18, channels)), layers.Conv2D(8, (3, 5), name="first")])


with tempfile.TemporaryDirectory() as folder:
    net(3).save_weights(f"{folder}/net.weights.h5")
    net(1).load_weights(f"{folder}/net.weights.h5")
