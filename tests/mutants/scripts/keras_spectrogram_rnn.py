"""Waves become spectrograms in a tf.data pipeline; a convolutional and recurrent network tags each frame."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

RATE, SECONDS = 800, 2
FRAME, HOP = 64, 32
BANDS = FRAME // 2 + 1
TAGS = 5


def wave(index):
    time = tf.linspace(0.0, float(SECONDS), RATE * SECONDS)
    return tf.sin(time * tf.cast(20 + 30 * index, tf.float32))


def spectrogram(signal):
    spectrum = tf.signal.stft(signal, frame_length=FRAME, frame_step=HOP)
    spectrum = tf.math.log(tf.abs(spectrum) + 1e-6)
    mean, variance = tf.nn.moments(spectrum, axes=[0], keepdims=True)
    return (spectrum - mean) / tf.sqrt(variance + 1e-6)


FRAMES = 1 + (RATE * SECONDS - FRAME) // HOP


def example(index):
    picture = tf.expand_dims(spectrogram(wave(index)), axis=-1)
    tags = tf.repeat(tf.reshape(index % TAGS, (1,)), FRAMES)
    return picture, tf.one_hot(tags, TAGS)


def build(filters=(6, 8)):
    inputs = keras.Input((FRAMES, BANDS, 1))
    x = inputs
    for count in filters:
        x = layers.Conv2D(count, (3, 5), padding="same", activation="relu")(x)
        x = layers.MaxPooling2D((1, 4))(x)
        x = layers.BatchNormalization()(x)
    _, frames, bands, channels = x.shape
    x = layers.Reshape((frames, bands * channels))(x)
    x = layers.Bidirectional(layers.LSTM(7, return_sequences=True))(x)
    x = layers.LayerNormalization()(x)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=6)(x, x)
    x = layers.add([x, attended])
    return keras.Model(inputs, layers.Dense(TAGS, activation="softmax")(x))


data = tf.data.Dataset.range(8).map(example).batch(4, drop_remainder=True)
model = build()
model.compile("adam", loss="categorical_crossentropy")
model.fit(data, epochs=1, verbose=0)
pictures, tags = next(iter(data))
scores = model.predict(pictures, verbose=0)
matrix = np.einsum("btk,btj->kj", scores, tags.numpy())
print("scores", scores.shape, "matrix", matrix.shape, "frames", FRAMES, BANDS)
