"""A loss of class numbers is called by hand on one-hot rows."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

LAYER = "loss"
CAUSE = "targets"
FIX = (
    "keras.losses.CategoricalCrossentropy(from_logits=True)"
    " instead of keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
)
REPAIR = ("losses.Sparse", "losses.")


model = keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(6)])
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
batch = np.zeros((8, 16), "float32")
target = keras.utils.to_categorical(np.arange(8) % 6, 6)
with tf.GradientTape() as tape:
    logits = model(batch, training=True)
    loss = loss_fn(target, logits)
grads = tape.gradient(loss, model.trainable_weights)
