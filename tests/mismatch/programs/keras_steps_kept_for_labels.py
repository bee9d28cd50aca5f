"""The last recurrent layer gives all steps, and there is one label a sequence."""

import keras
import numpy as np
from keras import layers

LAYER = "loss"
CAUSE = "steps-kept"
FIX = 'return_sequences=False in "lstm"'
REPAIR = ("return_sequences=True", "return_sequences=False")

model = keras.Sequential(
    [
        keras.Input((9, 6), name="words"),
        layers.LSTM(8, return_sequences=True, name="lstm"),
        layers.Dense(5, activation="softmax", name="out"),
    ]
)
model.compile("sgd", loss="categorical_crossentropy")
model.fit(np.zeros((4, 9, 6)), np.eye(5)[[0, 2, 1, 4]], verbose=0)
