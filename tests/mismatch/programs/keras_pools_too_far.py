"""Too many pools for a small picture."""

import keras
from keras import layers

LAYER = "conv3"
CAUSE = "too-small"
FIX = "feed 17×17 or larger"
REPAIR = ("keras.Input((12, 12, 3)", "keras.Input((17, 17, 3)")


model = keras.Sequential(
    [
        keras.Input((12, 12, 3), name="picture"),
        layers.Conv2D(8, 3, name="conv1"),
        layers.MaxPooling2D(3, name="pool1"),
        layers.Conv2D(8, 3, name="conv2"),
        layers.Conv2D(8, 3, name="conv3"),
    ]
)
