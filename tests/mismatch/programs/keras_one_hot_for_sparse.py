"""One-hot labels are compared with a loss of class numbers."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "targets"
FIX = 'loss="categorical_crossentropy"'
REPAIR = ('loss="sparse_categorical', 'loss="categorical')


model = keras.Sequential(
    [keras.Input((8,), name="table"), layers.Dense(10, activation="softmax", name="out")]
)
model.compile("sgd", loss="sparse_categorical_crossentropy")
model.fit(np.zeros((6, 8)), np.zeros((6, 10)), verbose=0)
