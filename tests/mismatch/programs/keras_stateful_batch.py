"""The layer keeps states for a batch of 32, and 10 samples are predicted."""

import keras
import numpy as np
from keras import layers

LAYER = "lstm"
CAUSE = "stateful"
FIX = "feed series of shape (32, 12, 5)"
REPAIR = ("np.zeros((10, 12, 5))", "np.zeros((32, 12, 5))")

model = keras.Sequential(
    [keras.Input(batch_shape=(32, 12, 5), name="series"), layers.LSTM(16, stateful=True, name="lstm")]
)
model.predict(np.zeros((10, 12, 5)), verbose=0)
