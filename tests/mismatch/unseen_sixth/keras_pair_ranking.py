"""Ranking of offers: the samples come in pairs, the loss compares the two scores of each pair."""
import keras
import numpy as np
from keras import layers, ops

np.random.seed(0)
keras.utils.set_random_seed(0)

batch_size = 16
n_pairs = 120
n_features = 7


def make_pairs():
    """Of each pair the first offer was chosen (1) and the second was not (0)."""
    x = np.random.normal(size=(2 * n_pairs, n_features)).astype("float32")
    y = np.zeros(2 * n_pairs, dtype="float32")
    y[::2] = 1
    x[::2] += 0.3
    # recent sessions count more
    age = np.repeat(np.random.randint(0, 30, n_pairs), 2)
    w = np.exp(-age / 30).astype("float32")
    return x, y, w


def pairwise_loss(y_true, y_pred):
    y_true = ops.reshape(y_true, (-1, 2))
    y_pred = ops.reshape(y_pred, (-1, 2))
    y_pred = ops.softmax(y_pred, axis=-1)
    return keras.losses.categorical_crossentropy(y_true, y_pred)


def pair_accuracy(y_true, y_pred):
    scores = ops.reshape(y_pred, (-1, 2))
    return ops.mean(ops.cast(scores[:, 0] > scores[:, 1], "float32"))


inputs = layers.Input(shape=(n_features,))
h = layers.Dense(24, activation="relu")(inputs)
h = layers.Dropout(0.1)(h)
h = layers.Dense(12, activation="relu")(h)
score = layers.Dense(1)(h)
model = keras.Model(inputs, score)
model.compile(optimizer="adam", loss=pairwise_loss, metrics=[pair_accuracy])

x, y, w = make_pairs()
n_train = 192
history = model.fit(x[:n_train], y[:n_train], sample_weight=w[:n_train], batch_size=batch_size, epochs=2, shuffle=False,
                    verbose=0)
print("loss", history.history["loss"])
print("test", model.evaluate(x[n_train:], y[n_train:], batch_size=batch_size, verbose=0))
scores = model.predict(x[n_train:], verbose=0).reshape(-1, 2)
print("chosen first", float((scores[:, 0] > scores[:, 1]).mean()))
