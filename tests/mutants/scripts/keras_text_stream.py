"""Reviews as strings: TextVectorization, a tf.data pipeline with padded batches, convolutions, and a saved model."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

REVIEWS = [
    "good film with a good end", "bad", "what a waste of an evening", "fine actors and music",
    "never again", "we laughed all the time", "a boring plot", "worth every minute of it",
    "no", "my favorite of this year",
]
MAX_TOKENS, LENGTH = 50, 12
RATINGS = 4

vectorize = layers.TextVectorization(max_tokens=MAX_TOKENS, output_sequence_length=LENGTH)
vectorize.adapt(REVIEWS)
ratings = np.arange(len(REVIEWS)) % RATINGS


def prepare(text, rating):
    return vectorize(text), tf.one_hot(rating, RATINGS)


texts = tf.data.Dataset.from_tensor_slices((REVIEWS, ratings))
train = texts.batch(5).map(prepare).prefetch(1)


class TextCNN(keras.Model):
    def __init__(self, vocabulary, dim=16, filters=6, sizes=(2, 3, 4), classes=RATINGS):
        super().__init__()
        self.embedding = layers.Embedding(vocabulary, dim)
        self.convolutions = [layers.Conv1D(filters, size, activation="relu") for size in sizes]
        self.pool = layers.GlobalMaxPooling1D()
        self.project = layers.Dense(9, activation="relu")
        self.head = layers.Dense(classes, activation="softmax")

    def call(self, tokens, training=False):
        x = self.embedding(tokens)
        pooled = [self.pool(convolution(x)) for convolution in self.convolutions]
        x = keras.ops.concatenate(pooled, axis=-1)
        return self.head(self.project(x))


model = TextCNN(MAX_TOKENS)
model.compile("adam", loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=1, verbose=0)
ragged = tf.ragged.constant([[3, 4, 5], [6, 7], [8, 9, 10, 11]])
padded = tf.data.Dataset.from_tensor_slices(ragged).map(lambda r: r)
padded = padded.padded_batch(3, padded_shapes=[LENGTH])
tokens = next(iter(padded))
scores = model(tokens)
best = tf.math.top_k(scores, k=2)
table = np.zeros((len(REVIEWS), RATINGS))
table[np.arange(len(REVIEWS)), ratings] = 1.0
error = np.abs(model.predict(vectorize(np.array(REVIEWS)), verbose=0) - table).mean(axis=1)
print("scores", scores.shape, "best", best.indices.shape, "error", error.shape)
