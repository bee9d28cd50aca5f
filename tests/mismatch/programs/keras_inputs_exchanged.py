"""Two inputs are given in the other order."""

import keras
import numpy as np
from keras import layers

LAYER = "numbers"
CAUSE = "exchanged"
FIX = "[table, pictures] instead of [pictures, table]"
REPAIR = ("[pictures, table]", "[table, pictures]")


numbers = keras.Input((16,), name="numbers")
picture = keras.Input((8, 9, 3), name="picture")
x = layers.Concatenate()([layers.Dense(8)(numbers), layers.Flatten()(layers.Conv2D(4, 3)(picture))])
model = keras.Model([numbers, picture], layers.Dense(2)(x))
pictures, table = np.zeros((4, 8, 9, 3), "float32"), np.zeros((4, 16), "float32")
model.predict([pictures, table], verbose=0)
