# Predicts the outcome of baseball seasons from monthly statistics of the players.
import numpy as np
from tensorflow.keras.layers import LSTM, Dense, Dropout, Input
from tensorflow.keras.models import Sequential

rng = np.random.default_rng(0)
STATS = ["avg", "obp", "slg", "hr", "rbi", "sb", "war"]
MONTHS = 26


def read_players(count):
    """One table for each player: a row for each statistic, a column for each month."""
    tables = []
    for _ in range(count):
        tables.append(np.stack([rng.random(MONTHS) for _ in STATS]))
    return np.array(tables, dtype="float32"), rng.integers(0, 2, count).astype("float32")


def train_test_split(X, Y, test_size):
    n = int(len(X) * (1 - test_size))
    return X[:n], X[n:], Y[:n], Y[n:]


X, Y = read_players(80)
mean, std = X.mean(axis=(0, 2), keepdims=True), X.std(axis=(0, 2), keepdims=True)
X = (X - mean) / std
X_train, X_test, y_train, y_test = train_test_split(X, Y, test_size=0.3)

model = Sequential()
model.add(Input((MONTHS, len(STATS))))
model.add(LSTM(24, return_sequences=True))
model.add(Dropout(0.2))
model.add(LSTM(12))
model.add(Dense(8, activation="relu"))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(X_train, y_train, epochs=1, batch_size=16, verbose=0)
print(model.evaluate(X_test, y_test, verbose=0))
