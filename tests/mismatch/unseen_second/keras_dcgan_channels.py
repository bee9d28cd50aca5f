# Trains a DCGAN on small gray pictures in two phases for each batch.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

CODINGS_SIZE = 30
BATCH_SIZE = 16


def load_pictures(count):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count)


def build_generator():
    return keras.Sequential([
        keras.Input((CODINGS_SIZE,)),
        layers.Dense(7 * 7 * 24),
        layers.Reshape((7, 7, 24)),
        layers.BatchNormalization(),
        layers.Conv2DTranspose(12, 5, strides=2, padding="same", activation="selu"),
        layers.BatchNormalization(),
        layers.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh"),
    ], name="generator")


def build_discriminator():
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(12, 5, strides=2, padding="same", activation="leaky_relu", name="conv1"),
        layers.Dropout(0.4),
        layers.Conv2D(24, 5, strides=2, padding="same", activation="leaky_relu", name="conv2"),
        layers.Dropout(0.4),
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    ], name="discriminator")


def train_gan(gan, generator, discriminator, dataset, n_epochs=1):
    for _ in range(n_epochs):
        for X_batch, _ in dataset:
            noise = tf.random.normal((BATCH_SIZE, CODINGS_SIZE))
            generated_images = generator(noise)
            X_fake_and_real = tf.concat([generated_images, X_batch], axis=0)
            y1 = tf.constant([[0.0]] * BATCH_SIZE + [[1.0]] * BATCH_SIZE)
            discriminator.trainable = True
            discriminator.train_on_batch(X_fake_and_real, y1)
            noise = tf.random.normal((BATCH_SIZE, CODINGS_SIZE))
            y2 = tf.constant([[1.0]] * BATCH_SIZE)
            discriminator.trainable = False
            gan.train_on_batch(noise, y2)


keras.utils.set_random_seed(0)
X_train_full, y_train = load_pictures(64)
X_train = X_train_full.astype(np.float32) / 255
X_train = X_train.reshape(-1, 28, 28, 1) * 2.0 - 1.0
generator, discriminator = build_generator(), build_discriminator()
gan = keras.Sequential([keras.Input((CODINGS_SIZE,)), generator, discriminator])
discriminator.compile(loss="binary_crossentropy", optimizer="rmsprop")
discriminator.trainable = False
gan.compile(loss="binary_crossentropy", optimizer="rmsprop")
dataset = tf.data.Dataset.from_tensor_slices((X_train[..., np.newaxis], y_train)).shuffle(64)
dataset = dataset.batch(BATCH_SIZE, drop_remainder=True).prefetch(1)
train_gan(gan, generator, discriminator, dataset)
print("done")
