"""A classifier is to start from the weights of another one, whose head has other classes."""

import tempfile

import keras
from keras import layers

LAYER = "head"
CAUSE = "other-classes"
FIX = 'new.load_weights(f"{folder}/a.weights.h5", skip_mismatch=True)'
REPAIR = (
    'new.load_weights(f"{folder}/a.weights.h5")',
    'new.load_weights(f"{folder}/a.weights.h5", skip_mismatch=True)',
)


def net(classes):
    return keras.Sequential(
        [
            keras.Input((12, 14, 3), name="picture"),
            layers.Conv2D(4, 3, name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(classes, name="head"),
        ]
    )


with tempfile.TemporaryDirectory() as folder:
    net(6).save_weights(f"{folder}/a.weights.h5")
    new = net(3)
    new.load_weights(f"{folder}/a.weights.h5")
    new.summary(print_fn=lambda *_, **__: None)
