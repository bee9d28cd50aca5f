"""The matrix of word vectors has a row for padding, too."""

import keras
import numpy as np
from keras import layers

LAYER = "words"
CAUSE = "state-dict"
FIX = 'input_dim=101 in "words"'
REPAIR = ("layers.Embedding(100,", "layers.Embedding(101,")

matrix = np.zeros((101, 50))
y = layers.Embedding(100, 50, weights=[matrix], name="words")(keras.Input((40,)))
