"""An LSTM follows a convolution of pictures."""

import keras
from keras import layers

LAYER = "steps"
CAUSE = "image-into-sequence"
FIX = 'layers.Reshape((32, 320))(x) before "steps"'
REPAIR = ("x = layers.Bidirectional", "x = layers.Reshape((32, 320))(x)\nx = layers.Bidirectional")


spectrum = keras.Input((64, 40, 1), name="spectrum")
x = layers.Conv2D(16, 3, padding="same", activation="relu")(spectrum)
x = layers.MaxPooling2D((2, 2))(x)
x = layers.Bidirectional(layers.LSTM(32), name="steps")(x)
model = keras.Model(spectrum, layers.Dense(8, activation="softmax")(x))
