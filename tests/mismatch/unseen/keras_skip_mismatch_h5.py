# Moves the weights of a classifier with 10 classes to one with 25.
import os
import tempfile

import keras
import numpy as np
from keras import layers


def build(num_classes):
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, strides=2, activation="relu", name="block1_conv"),
            layers.Conv2D(32, 3, strides=2, activation="relu", name="block2_conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(64, activation="relu", name="features"),
            layers.Dense(num_classes, activation="softmax", name="predictions"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "pretrained.weights_v1.h5")
    first = build(10)
    first.fit(rng.random((16, 32, 32, 3)), rng.integers(0, 10, 16), epochs=1, verbose=0)
    first.save(path)

    second = build(25)
    second.load_weights(path, skip_mismatch=True)

second.fit(rng.random((16, 32, 32, 3)), rng.integers(0, 25, 16), epochs=1, verbose=0)
print("kernel kept", np.allclose(second.get_layer("block1_conv").get_weights()[0].shape, (3, 3, 3, 16)))
