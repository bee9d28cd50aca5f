"""The weights were saved with another number of filters."""

import tempfile

import keras
from keras import layers

LAYER = "block1"
CAUSE = "state-dict"
FIX = "model = net(filters=12) instead of model = net()"
REPAIR = (
    "model = net()",
    "model = net(filters=12)",
)


def net(classes=10, filters=8, extra=False):
    return keras.Sequential(
        [
            keras.Input((20, 22, 3)),
            layers.Conv2D(filters, 3, activation="relu", name="block1"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu", name="block2"),
            *([layers.Conv2D(16, 3, activation="relu", name="block3")] if extra else []),
            layers.Flatten(),
            layers.Dense(24, activation="relu", name="hidden"),
            layers.Dense(classes, name="predictions"),
        ]
    )


with tempfile.TemporaryDirectory() as folder:
    net(filters=12).save_weights(f"{folder}/w.weights.h5")
    model = net()
    model.load_weights(f"{folder}/w.weights.h5")
