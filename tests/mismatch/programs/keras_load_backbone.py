"""The file is of the backbone, and it is loaded into the whole model."""

import tempfile

import keras
from keras import layers

LAYER = "classifier"
CAUSE = "part-of-model"
FIX = 'model.get_layer("backbone").load_weights(f"{folder}/net.weights.h5")'
REPAIR = (
    'model.load_weights(f"{folder}/net.weights.h5")',
    'model.get_layer("backbone").load_weights(f"{folder}/net.weights.h5")',
)


def make_backbone():
    return keras.Sequential(
        [
            keras.Input((32, 30, 3)),
            layers.Conv2D(8, 3),
            layers.BatchNormalization(),
            layers.Conv2D(12, 3),
            layers.GlobalAveragePooling2D(),
        ],
        name="backbone",
    )


with tempfile.TemporaryDirectory() as folder:
    make_backbone().save_weights(f"{folder}/net.weights.h5")
    backbone = make_backbone()
    inputs = keras.Input((32, 30, 3))
    model = keras.Model(inputs, layers.Dense(5)(backbone(inputs)), name="classifier")
    model.load_weights(f"{folder}/net.weights.h5")
