# Sentence regression from a Python generator: tokens as one-hot rows, one score for each sentence.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

VOCAB, MAX_LEN = 120, 30


class Sentences:
    def __init__(self, count):
        rng = np.random.default_rng(0)
        self.tokens = [rng.integers(0, VOCAB, rng.integers(8, MAX_LEN)) for _ in range(count)]
        self.scores = rng.random(count).astype("float32")

    def __call__(self):
        for tokens, score in zip(self.tokens, self.scores):
            x = np.zeros((MAX_LEN, VOCAB), dtype="float32")
            x[np.arange(len(tokens)), tokens] = 1
            yield x, score


data = Sentences(64)
dataset = tf.data.Dataset.from_generator(
    data,
    output_signature=(
        tf.TensorSpec(shape=(None, VOCAB), dtype=tf.float32),
        tf.TensorSpec(shape=(None, None), dtype=tf.float32),
    ),
)
dataset = dataset.shuffle(32, seed=0).padded_batch(8)

inputs = keras.Input(shape=(None, VOCAB))
x = layers.Masking()(inputs)
x = layers.Dense(48, activation="relu")(x)
x = layers.Bidirectional(layers.GRU(32))(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="mse")
model.fit(dataset, epochs=1, verbose=0)
print("fitted")
