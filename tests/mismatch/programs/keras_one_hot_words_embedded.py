"""One-hot words go into an embedding, which looks up numbers."""

import keras
from keras import layers

LAYER = "lstm"
CAUSE = "one-hot"
FIX = 'keras.Input((72,), name="words") instead of keras.Input((72, 500), name="words")'
REPAIR = ("keras.Input((72, 500),", "keras.Input((72,),")

x = keras.Input((72, 500), name="words")
y = layers.LSTM(16, name="lstm")(layers.Embedding(500, 64)(x))
