"""The filters over words are as wide as other embeddings were."""

import keras
from keras import layers

LAYER = "ngrams"
CAUSE = "too-small"
FIX = 'kernel_size=(3, 100) in "ngrams"'
REPAIR = ("(3, 300)", "(3, 100)")

x = keras.Input((50,), name="words")
h = layers.Reshape((50, 100, 1))(layers.Embedding(5000, 100)(x))
y = layers.Flatten()(layers.Conv2D(64, (3, 300), name="ngrams")(h))
