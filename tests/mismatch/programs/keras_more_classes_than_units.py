"""The labels have twelve classes, and the head has ten units."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "targets"
FIX = (
    'layers.Dense(12, activation="softmax", name="head")'
    ' instead of layers.Dense(10, activation="softmax", name="head")'
)
REPAIR = ("layers.Dense(10,", "layers.Dense(12,")

model = keras.Sequential([keras.Input((7,)), layers.Dense(10, activation="softmax", name="head")])
model.compile("sgd", "categorical_crossentropy")
model.fit(np.zeros((6, 7)), np.zeros((6, 12)), verbose=0)
