"""Forecasts each hour of a day; hours whose measurement is missing are to have no weight in the loss."""
import keras
import numpy as np
from keras.layers import Dense, Dropout, Flatten, Input, LSTM
from keras.models import Model

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)

n_samples, n_history, n_hours, n_sensors = 90, 36, 24, 3


def measurements():
    """Three sensors over the last hours, the load of the next day, and which of its hours were measured."""
    phase = rng.uniform(0, 2 * np.pi, (n_samples, 1))
    past = np.sin(2 * np.pi * np.arange(n_history) / 24 + phase)
    x = np.stack([past + rng.normal(0, s, past.shape) for s in (0.05, 0.1, 0.3)], axis=-1)
    y = np.sin(2 * np.pi * (n_history + np.arange(n_hours)) / 24 + phase)
    known = (rng.random((n_samples, n_hours)) > 0.2).astype("float32")
    y[known == 0] = 0
    return x.astype("float32"), y.astype("float32"), known


x, y, known = measurements()

inputs = Input((n_history, n_sensors))
h = LSTM(20, return_sequences=True)(inputs)
h = Dropout(0.1)(h)
h = LSTM(16)(h)
h = Dense(30, activation="relu")(h)
outputs = Dense(n_hours)(h)
model = Model(inputs, outputs)
model.compile(loss="mse", optimizer="adam", weighted_metrics=[])

# temporal weights: 0 for an hour that was not measured
history = model.fit(x, y, sample_weight=known, batch_size=15, epochs=2, validation_split=0.2, verbose=0)
print("loss", history.history["loss"], history.history["val_loss"])
forecast = model.predict(x[:4], verbose=0)
print("forecast", forecast.reshape(4, n_hours).shape)
