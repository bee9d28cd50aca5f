"""Clips: frames through a CNN by TimeDistributed, then a GRU; data from a generator."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

FRAMES = 6
HEIGHT, WIDTH = 20, 30
CLASSES = 5


def clips(count=8):
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield rng.random((FRAMES, HEIGHT, WIDTH, 3), dtype="float32"), rng.integers(0, CLASSES)


signature = (
    tf.TensorSpec(shape=(FRAMES, HEIGHT, WIDTH, 3), dtype=tf.float32),
    tf.TensorSpec(shape=(), dtype=tf.int64),
)
dataset = tf.data.Dataset.from_generator(clips, output_signature=signature).batch(4)

cnn = keras.Sequential([
    layers.Input((HEIGHT, WIDTH, 3)),
    layers.Conv2D(7, 3, strides=2, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Conv2D(9, 3, activation="relu", padding="same"),
    layers.Flatten(),
])
keras.utils.set_random_seed(0)
inputs = keras.Input((FRAMES, HEIGHT, WIDTH, 3))
x = layers.TimeDistributed(cnn)(inputs)
x = layers.TimeDistributed(layers.Dense(16, activation="relu"))(x)
x = layers.GRU(12, return_sequences=True)(x)
x = layers.GRU(8)(x)
x = layers.Dropout(0.4)(x)
outputs = layers.Dense(CLASSES, activation="softmax")(x)
model = keras.Model(inputs, outputs)
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(dataset, epochs=1, verbose=0)
print("features", cnn.output_shape, "classes", model.predict(dataset, verbose=0).shape)
