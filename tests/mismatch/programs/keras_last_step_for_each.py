"""Every step is to be classified, and the recurrent layer gives only its last."""

import keras
from keras import layers

LAYER = "each"
CAUSE = "return-sequences"
FIX = 'return_sequences=True in "lstm"'
REPAIR = ('layers.LSTM(64, name="lstm")', 'layers.LSTM(64, name="lstm", return_sequences=True)')

keras.Sequential(
    [
        keras.Input((30, 8), name="series"),
        layers.LSTM(64, name="lstm"),
        layers.TimeDistributed(layers.Dense(10), name="each"),
    ]
)
