"""A backbone without its top, new layers on it; weights are saved, loaded into a second network, and cut."""
import os
import tempfile

import keras
import numpy as np
from keras import layers

SIDE = 40
OLD_CLASSES, NEW_CLASSES = 7, 3


def block(x, filters, strides=1):
    skip = x
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    if strides > 1 or skip.shape[-1] != filters:
        skip = layers.Conv2D(filters, 1, strides=strides)(skip)
    return layers.add([x, skip])


def backbone(shape=(SIDE, SIDE, 3), width=6):
    inputs = keras.Input(shape)
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.Conv2D(width, 3, strides=2)(x)
    for index, filters in enumerate((width, 2 * width, 3 * width)):
        x = block(x, filters, strides=1 if index == 0 else 2)
    return keras.Model(inputs, x, name="backbone")


def classifier(classes, shape=(SIDE, SIDE, 3), hidden=14):
    base = backbone(shape)
    x = layers.GlobalAveragePooling2D()(base.output)
    x = layers.Dense(hidden, activation="relu", name="hidden")(x)
    return keras.Model(base.input, layers.Dense(classes, name=f"scores_{classes}")(x))


keras.utils.set_random_seed(0)
old = classifier(OLD_CLASSES)
old.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
pictures = np.random.rand(8, SIDE, SIDE, 3).astype("float32")
old.fit(pictures, np.random.randint(0, OLD_CLASSES, 8), batch_size=4, verbose=0)

path = os.path.join(tempfile.mkdtemp(), "backbone.weights.h5")
features = keras.Model(old.input, old.get_layer("hidden").output)
features.save_weights(path)

new = classifier(NEW_CLASSES)
keras.Model(new.input, new.get_layer("hidden").output).load_weights(path)
for layer in new.layers[:-2]:
    layer.trainable = False
mean = np.array([0.48, 0.45, 0.4]).reshape((1, 1, 1, 3))
augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])
photos = np.random.rand(5, 60, 50, 3).astype("float32") - mean
photos = augment(keras.ops.image.resize(photos, (SIDE, SIDE)), training=True)
one_hot = np.eye(NEW_CLASSES)[np.random.randint(0, NEW_CLASSES, 5)]
new.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
new.fit(photos, one_hot, batch_size=5, verbose=0)
kernel, bias = old.get_layer("hidden").get_weights()
new.get_layer("hidden").set_weights([kernel, bias])
print("scores", new.predict(photos, verbose=0).shape, "kernel", kernel.shape)
