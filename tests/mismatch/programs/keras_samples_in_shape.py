"""The declared shape includes the number of samples."""

import keras
import numpy as np
from keras import layers

LAYER = "edges"
CAUSE = "samples-in-shape"
FIX = 'keras.Input(shape=x_train.shape[1:], name="x") instead of keras.Input(shape=x_train.shape, name="x")'
REPAIR = ("shape=x_train.shape", "shape=x_train.shape[1:]")


x_train = np.zeros((267, 32, 28, 1), "float32")
inputs = keras.Input(shape=x_train.shape, name="x")
x = layers.Conv2D(32, (3, 3), name="edges")(inputs)
x = layers.MaxPooling2D((2, 2))(x)
x = layers.Flatten()(x)
model = keras.Model(inputs, layers.Dense(10)(x))
model.predict(x_train, verbose=0)
