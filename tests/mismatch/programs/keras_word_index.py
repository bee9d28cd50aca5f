"""A word number is outside the embedding."""

import keras
import numpy as np
from keras import layers

LAYER = "words"
CAUSE = "index-range"
FIX = 'input_dim=1501 in "words"'
REPAIR = ("layers.Embedding(1000", "layers.Embedding(1501")


model = keras.Sequential(
    [keras.Input((3,), dtype="int32", name="text"), layers.Embedding(1000, 8, name="words")]
)
model(np.array([[3, 17, 1500], [4, 2, 1]]))
