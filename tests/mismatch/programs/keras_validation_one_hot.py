"""Only the targets of the validation data are one-hot."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "targets"
FIX = "pass y_val.argmax(-1)"
REPAIR = ("(x_val, y_val)", "(x_val, y_val.argmax(-1))")


x_train, y_train = np.zeros((32, 10), "float32"), np.arange(32) % 5
x_val, y_val = np.zeros((16, 10), "float32"), keras.utils.to_categorical(np.arange(16) % 5, 5)
model = keras.Sequential(
    [keras.Input((10,)), layers.Dense(16, activation="relu"), layers.Dense(5, activation="softmax")]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=1, batch_size=8, verbose=0)
