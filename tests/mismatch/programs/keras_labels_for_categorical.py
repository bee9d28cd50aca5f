"""Class numbers are compared with a one-hot loss."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "labels-for-classes"
FIX = 'loss="sparse_categorical_crossentropy"'
REPAIR = ('loss="categorical', 'loss="sparse_categorical')


model = keras.Sequential(
    [keras.Input((8,), name="table"), layers.Dense(10, activation="softmax", name="out")]
)
model.compile("sgd", loss="categorical_crossentropy")
model.fit(np.zeros((6, 8)), np.zeros((6, 1)), verbose=0)
