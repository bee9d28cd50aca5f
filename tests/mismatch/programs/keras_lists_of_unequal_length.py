"""Token lists of unequal length stand in an array of objects."""

import keras
import numpy as np
from keras import layers

LAYER = "tokens"
CAUSE = "ragged"
FIX = "feed keras.utils.pad_sequences(x)"
REPAIR = ("np.array(sequences, dtype=object)", "keras.utils.pad_sequences(sequences)")


sequences = [[3, 4, 5], [6, 7], [8, 9, 10, 11]] * 4
labels = np.arange(12) % 2
model = keras.Sequential(
    [
        keras.Input((None,), name="tokens"),
        layers.Embedding(50, 8),
        layers.LSTM(6),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile("adam", "binary_crossentropy")
x = np.array(sequences, dtype=object)
model.fit(x, labels, epochs=1, verbose=0)
