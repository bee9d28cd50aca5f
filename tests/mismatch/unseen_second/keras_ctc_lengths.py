# Reads handwritten words with convolutions, two bidirectional LSTMs and CTC.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class CTCLoss(layers.Layer):
    """Adds the CTC loss of each sample; its inputs are the scores, the labels and both lengths."""

    def call(self, inputs):
        y_pred, labels, input_length, label_length = inputs
        label_length = tf.cast(tf.reshape(label_length, (-1,)), tf.int32)
        sparse = tf.RaggedTensor.from_tensor(tf.cast(labels, tf.int32), label_length).to_sparse()
        loss = tf.compat.v1.nn.ctc_loss(
            labels=sparse,
            inputs=tf.math.log(y_pred + 1e-7),
            sequence_length=tf.cast(tf.reshape(input_length, (-1,)), tf.int32),
            time_major=False,
        )
        return tf.expand_dims(loss, 1)

    def compute_output_shape(self, input_shape):
        return (None, 1)


def build_network(width=128, height=32, max_label=10):
    image = keras.Input((width, height, 1), name="image")
    labels = keras.Input((max_label,), name="labels")
    input_length = keras.Input((1,), name="input_length")
    label_length = keras.Input((1,), name="label_length")
    x = image
    for i, (filters, pool) in enumerate([(8, (2, 2)), (12, (2, 2)), (16, (1, 2)), (16, (1, 2)), (24, (1, 2))]):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{i}")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(pool)(x)
    x = layers.Reshape((width // 4, 24))(x)
    x = layers.Bidirectional(layers.LSTM(20, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(20, return_sequences=True))(x)
    y_pred = layers.Dense(len(ALPHABET) + 1, activation="softmax", name="softmax")(x)
    loss = CTCLoss(name="ctc")([y_pred, labels, input_length, label_length])
    return keras.Model([image, labels, input_length, label_length], loss)


def encode(words, max_label):
    padded = np.zeros((len(words), max_label), "float32")
    for row, word in zip(padded, words):
        row[: len(word)] = [ALPHABET.index(c) for c in word]
    return padded, np.array([[len(w)] for w in words], "float32")


rng = np.random.default_rng(0)
words = ["move", "to", "stop", "electing", "any", "more", "life", "peers", "is", "made"]
xs_train = rng.random((len(words), 128, 32, 1), dtype="float32")
ys_train, ys_len = encode(words, 10)
xs_len = np.full((len(words), 1), xs_train.shape[1], "float32")
model = build_network()
model.compile(optimizer="adam", loss=lambda y_true, y_pred: y_pred)
model.fit([xs_train, ys_train, xs_len, ys_len], np.zeros((len(words), 1)), batch_size=5, epochs=1, verbose=0)
print("done")
