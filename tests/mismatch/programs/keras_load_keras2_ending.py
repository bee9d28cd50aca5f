"""A file of Keras 2 has the ending of Keras 3."""

import tempfile

import h5py
import keras
import numpy as np
from keras import layers

LAYER = "net"
CAUSE = "file-layout"
FIX = (
    'import shutil; model.load_weights(shutil.copy(f"{folder}/old.weights.h5", f"{folder}/old.w'
    'eights.h5".replace(".weights.h5", "_keras2.h5")))'
)
REPAIR = (
    'model.load_weights(f"{folder}/old.weights.h5")',
    (
        'import shutil; model.load_weights(shutil.copy(f"{folder}/old.weights.h5", f"{folder}/old.w'
        'eights.h5".replace(".weights.h5", "_keras2.h5")))'
    ),
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
        ],
        name="net",
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
    write_old(net(10), f"{folder}/old.weights.h5")
    model = net(10)
    model.load_weights(f"{folder}/old.weights.h5")
