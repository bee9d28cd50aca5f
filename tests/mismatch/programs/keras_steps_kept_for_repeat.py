"""An autoencoder repeats the code, but the encoder gives all its steps."""

import keras
from keras import layers

LAYER = "repeat"
CAUSE = "steps-kept"
FIX = 'return_sequences=False in "encoder"'
REPAIR = ("return_sequences=True, name", "return_sequences=False, name")

keras.Sequential(
    [
        keras.Input((20, 3), name="series"),
        layers.LSTM(64, return_sequences=True, name="encoder"),
        layers.RepeatVector(20, name="repeat"),
        layers.LSTM(16),
    ]
)
