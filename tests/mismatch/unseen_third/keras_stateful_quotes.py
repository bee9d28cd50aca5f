# Tells whether quotes rise from windows of five days, with an LSTM that keeps its state.
import keras
import numpy as np
from keras import layers

WINDOW = 5
FEATURES = 7
BATCH_SIZE = 5


def load_quotes(n_days=45):
    rng = np.random.default_rng(0)
    price = 100 + np.cumsum(rng.standard_normal(n_days))
    columns = [price]
    for span in (2, 3, 5):
        columns.append(np.convolve(price, np.ones(span) / span, mode="same"))
    columns += [np.gradient(price), rng.random(n_days), np.sin(np.arange(n_days) * 2 * np.pi / 5)]
    return np.stack(columns, axis=1).astype("float32")


def scale(table):
    low, high = table.min(axis=0), table.max(axis=0)
    return (table - low) / (high - low)


def windows(table, price):
    x, y = [], []
    for start in range(len(table) - WINDOW):
        x.append(table[start:start + WINDOW])
        y.append(int(price[start + WINDOW] > price[start + WINDOW - 1]))
    return np.array(x), keras.utils.to_categorical(y, 2)


def build_model():
    model = keras.Sequential()
    model.add(keras.Input(batch_shape=(BATCH_SIZE, WINDOW, FEATURES)))
    model.add(layers.LSTM(24, return_sequences=True, stateful=True, name="lstm_1"))
    model.add(layers.Activation("relu"))
    model.add(layers.Dropout(0.2))
    model.add(layers.LSTM(12, stateful=True, name="lstm_2"))
    model.add(layers.Activation("relu"))
    model.add(layers.Dense(2))
    model.add(layers.Activation("softmax"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


keras.utils.set_random_seed(0)
quotes = load_quotes()
trainX, trainY = windows(scale(quotes), quotes[:, 0])
epo_num = 2
model = build_model()
for i in range(epo_num):
    print("Epochs {:d}/{:d}".format(i + 1, epo_num))
    history = model.fit(trainX, trainY, batch_size=BATCH_SIZE, epochs=1, validation_split=0.2, shuffle=False, verbose=0)
    for layer in model.layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
print("loss", round(history.history["loss"][0], 3))
