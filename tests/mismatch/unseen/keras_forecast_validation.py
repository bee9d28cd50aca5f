# Forecasts the power of the next day from three days, with an LSTM encoder and decoder.
import keras
import numpy as np
from keras import layers, ops


def make_windows(series, n_in, n_out):
    X, y = [], []
    for i in range(0, len(series) - n_in - n_out, 6):
        X.append(series[i : i + n_in])
        y.append(series[i + n_in : i + n_in + n_out, 0])
    return np.array(X, dtype="float32"), np.array(y, dtype="float32")


def weighted_mse(y_true, y_pred):
    """Errors of the near hours weigh more."""
    weights = ops.reshape(ops.linspace(1.0, 0.5, 24), (1, 24, 1))
    return ops.mean(weights * ops.square(y_true - y_pred))


rng = np.random.default_rng(0)
hours = np.arange(1500)
series = np.stack([np.sin(hours / 24 * 2 * np.pi), np.cos(hours / 168 * 2 * np.pi), rng.random(1500)], axis=1)
X_train, y_train = make_windows(series[:1100], 72, 24)
X_val, y_val = make_windows(series[1100:], 72, 24)
y_train = y_train.reshape((y_train.shape[0], y_train.shape[1], 1))
print(X_train.shape, y_train.shape, X_val.shape, y_val.shape)

model = keras.Sequential(
    [
        keras.Input((72, 3)),
        layers.LSTM(64, activation="relu"),
        layers.RepeatVector(24),
        layers.LSTM(64, activation="relu", return_sequences=True),
        layers.TimeDistributed(layers.Dense(32, activation="relu")),
        layers.TimeDistributed(layers.Dense(1)),
    ]
)
model.compile(loss=weighted_mse, optimizer="adam")
model.fit(X_train, y_train, validation_data=(X_val, y_val), epochs=1, batch_size=50, verbose=0)
print("done")
