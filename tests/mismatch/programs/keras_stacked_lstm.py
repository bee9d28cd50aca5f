"""Two LSTMs follow each other, and the first gives only its last step."""

import keras
from keras import layers

LAYER = "second"
CAUSE = "return-sequences"
FIX = 'return_sequences=True in "first"'
REPAIR = ('layers.LSTM(32, name="first")', 'layers.LSTM(32, return_sequences=True, name="first")')


x = keras.Input((17, 5), name="series")
h = layers.LSTM(32, name="first")(x)
y = layers.LSTM(16, name="second")(h)
