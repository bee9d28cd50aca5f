"""One-hot labels have more classes than the network has scores, inside a compiled step."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

LAYER = "loss"
CAUSE = "targets"
FIX = "tf.one_hot(labels, 10) instead of tf.one_hot(labels, 12)"
REPAIR = ("tf.one_hot(labels, 12)", "tf.one_hot(labels, 10)")


model = keras.Sequential([keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(10)])
optimizer = keras.optimizers.Adam()
features = np.zeros((32, 20), "float32")
labels = np.arange(32) % 10
onehot = tf.one_hot(labels, 12)


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        scores = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=scores))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables, strict=True))
    return loss


print(train_step(features, onehot))
