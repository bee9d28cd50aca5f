# Predicts the load of 26 feeders from the grid's readings of the last hours with a convolutional LSTM.
import keras
import numpy as np
from keras.callbacks import EarlyStopping
from keras.layers import BatchNormalization, ConvLSTM2D, Dense, Dropout, Flatten
from keras.models import Sequential

HOURS = 12
SENSORS = 30
FEEDERS = 26


def load_readings(n_hours=90):
    """Readings of the sensors, hour by hour, and the load of the feeders in the hour that follows."""
    rng = np.random.default_rng(0)
    hours = np.arange(n_hours)[:, None]
    daily = np.sin(2 * np.pi * (hours / 24 + rng.random(SENSORS)))
    readings = daily + 0.1 * rng.standard_normal((n_hours, SENSORS))
    weights = rng.standard_normal((SENSORS, FEEDERS)) / SENSORS
    load = np.maximum(readings @ weights, 0)
    return readings.astype("float32"), load.astype("float32")


def make_windows(readings, load):
    features, targets = [], []
    for start in range(len(readings) - HOURS):
        features.append(readings[start:start + HOURS])
        targets.append(load[start + HOURS])
    features = np.array(features)
    # samples, time, rows, columns, channels
    return features.reshape(len(features), HOURS, SENSORS, 1, 1), np.array(targets)


def split(features, targets, share=0.8):
    n = int(len(features) * share)
    return (features[:n], targets[:n]), (features[n:], targets[n:])


def build_model(x_train, lstm_out=10):
    model = Sequential()
    model.add(ConvLSTM2D(lstm_out, dropout=0.2, input_shape=x_train.shape, kernel_size=(5, 1), return_sequences=False))
    model.add(BatchNormalization())
    model.add(Flatten())
    model.add(Dropout(0.2))
    model.add(Dense(48, activation="relu"))
    model.add(Dense(FEEDERS))
    model.compile(loss="mean_squared_error", optimizer="adam")
    return model


keras.utils.set_random_seed(0)
readings, load = load_readings()
(x_train, y_train), (x_test, y_test) = split(*make_windows(readings, load))
print("train", x_train.shape, y_train.shape)
model = build_model(x_train)
history = model.fit(
    x_train,
    y_train,
    batch_size=16,
    epochs=2,
    verbose=0,
    validation_data=(x_test, y_test),
    callbacks=[EarlyStopping(monitor="val_loss", min_delta=0, patience=10, verbose=0, mode="auto")],
)
print("loss", round(history.history["loss"][-1], 4))
