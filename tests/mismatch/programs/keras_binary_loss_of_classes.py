"""Class numbers from 0 to 4 are compared with five outputs by a binary loss."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "labels-for-classes"
FIX = 'loss="sparse_categorical_crossentropy"'
REPAIR = ('loss="binary_crossentropy"', 'loss="sparse_categorical_crossentropy"')


x_train = np.zeros((64, 20), "float32")
y_train = np.arange(64 * 1).reshape(64, 1) % 5
model = keras.Sequential(
    [keras.Input((20,)), layers.Dense(16, activation="relu"), layers.Dense(5, activation="softmax")]
)
model.compile(optimizer="adam", loss="binary_crossentropy")
model.fit(x_train, y_train, batch_size=32, epochs=1, verbose=0)
