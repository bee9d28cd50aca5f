"""The declared input of a network for films is a single picture."""

import keras
import numpy as np
from keras import layers

LAYER = "film"
CAUSE = "time-axis"
FIX = 'keras.Input((None, 40, 32, 1), name="frames") instead of keras.Input((40, 32, 1), name="frames")'
REPAIR = ("Input((40, 32, 1)", "Input((None, 40, 32, 1)")


frames = keras.Input((40, 32, 1), name="frames")
x = layers.ConvLSTM2D(6, 3, padding="same", return_sequences=True, name="film")(frames)
x = layers.BatchNormalization()(x)
x = layers.ConvLSTM2D(6, 3, padding="same")(x)
model = keras.Model(frames, layers.Conv2D(1, 1)(x))
model.predict(np.zeros((2, 7, 40, 32, 1), "float32"), verbose=0)
