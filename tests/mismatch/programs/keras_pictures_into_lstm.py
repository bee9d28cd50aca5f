"""Each step of a film is still a picture in front of an LSTM."""

import keras
from keras import layers

LAYER = "steps"
CAUSE = "steps-of-images"
FIX = 'layers.TimeDistributed(layers.Flatten())(x) before "steps"'
REPAIR = (
    'x = layers.LSTM(32, name="steps")(x)',
    'x = layers.TimeDistributed(layers.Flatten())(x)\nx = layers.LSTM(32, name="steps")(x)',
)


video = keras.Input((10, 32, 24, 3), name="video")
x = layers.TimeDistributed(layers.Conv2D(8, 3, activation="relu"))(video)
x = layers.TimeDistributed(layers.MaxPooling2D())(x)
x = layers.LSTM(32, name="steps")(x)
model = keras.Model(video, layers.Dense(5, activation="softmax")(x))
