"""A weight is copied from torch, which stores outputs first."""

import keras
import numpy as np
from keras import layers

LAYER = "fc"
CAUSE = "stored-transposed"
FIX = 'model.get_layer("fc").set_weights([weight.T, bias])'
REPAIR = ("[weight, bias]", "[weight.T, bias]")

model = keras.Sequential([keras.Input((78,)), layers.Dense(12, name="fc")])
weight, bias = np.zeros((12, 78)), np.zeros((12,))
model.get_layer("fc").set_weights([weight, bias])
