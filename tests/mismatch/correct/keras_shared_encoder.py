"""One encoder on two inputs, whose lengths differ and are pooled away."""

import keras
import numpy as np
from keras import layers

words = keras.Input((None, 6))
encoder = keras.Model(words, layers.GlobalMaxPooling1D()(layers.Conv1D(5, 3)(words)), name="encoder")
left, right = keras.Input((11, 6)), keras.Input((8, 6))
model = keras.Model([left, right], layers.Dot(1)([encoder(left), encoder(right)]))
assert model.predict([np.zeros((2, 11, 6)), np.zeros((2, 8, 6))], verbose=0).shape == (2, 1)
