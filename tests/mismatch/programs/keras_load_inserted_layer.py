"""A file of Keras 2 is loaded by order into a model with another layer."""

import tempfile

import h5py
import keras
import numpy as np
from keras import layers

LAYER = "block3"
CAUSE = "keys-missing"
FIX = 'model.load_weights(f"{folder}/old.h5", by_name=True)'
REPAIR = (
    'model.load_weights(f"{folder}/old.h5")',
    'model.load_weights(f"{folder}/old.h5", by_name=True)',
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


def write_old(model, path):
    with h5py.File(path, "w") as f:
        f.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        f.attrs["backend"], f.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        for layer in model.layers:
            g = f.create_group(layer.name)
            g.attrs["weight_names"] = [f"{layer.name}/{w.name}:0".encode() for w in layer.weights]
            for w in layer.weights:
                g[f"{layer.name}/{w.name}:0"] = np.array(w)


with tempfile.TemporaryDirectory() as folder:
    write_old(net(10), f"{folder}/old.h5")
    model = net(10, extra=True)
    model.layers[-2].name = "hidden3"
    model.load_weights(f"{folder}/old.h5")
