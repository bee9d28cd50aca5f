"""One picture without a batch axis is predicted."""

import keras
import numpy as np
from keras import layers

LAYER = "picture"
CAUSE = "no-batch"
FIX = "feed np.expand_dims(picture, 0)"
REPAIR = ("model.predict(picture", "model.predict(picture[None]")


model = keras.Sequential(
    [keras.Input((24, 32, 3), name="picture"), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
)
picture = np.zeros((24, 32, 3), "float32")
model.predict(picture, verbose=0)
