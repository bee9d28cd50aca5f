"""Windows of a weather series: an own windowing, a TCN with dilations, weights saved and loaded again."""
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

window = 24
horizon = 3
features = 5


def make_windows(series, window, horizon):
    xs, ys = [], []
    for start in range(len(series) - window - horizon + 1):
        xs.append(series[start : start + window])
        ys.append(series[start + window : start + window + horizon, 0])
    return np.stack(xs), np.stack(ys)


def tcn(filters=8, kernel=3, blocks=3):
    inputs = keras.Input(shape=(window, features))
    x = layers.Conv1D(filters, 1)(inputs)
    for i in range(blocks):
        y = layers.Conv1D(filters, kernel, padding="causal", dilation_rate=2**i, activation="relu")(x)
        y = layers.SpatialDropout1D(0.1)(y)
        x = layers.Add()([x, y])
    attention = layers.Dense(1)(x)
    attention = layers.Softmax(axis=1)(attention)
    x = layers.Dot(axes=1)([attention, x])
    x = layers.Flatten()(x)
    outputs = layers.Dense(horizon)(x)
    return keras.Model(inputs, outputs)


keras.utils.set_random_seed(0)
series = np.random.rand(60, features).astype("float32")
x, y = make_windows(series, window, horizon)
model = tcn()
model.compile(loss="mse", optimizer=keras.optimizers.Adam(1e-3))
model.fit(x, y, batch_size=17, epochs=1, verbose=0)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tcn.weights.h5"
    model.save_weights(path)
    restored = tcn()
    restored.load_weights(path)
forecast = restored.predict(x[-2:], verbose=0)
print("forecast", forecast.shape)
