"""Price of a stock from nine columns: scaled together, forecast by an LSTM, scaled back."""
import keras
import numpy as np
from keras.layers import LSTM, Dense, Input
from keras.models import Sequential

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)


class MinMaxScaler:
    """To 0 ... 1, column by column."""

    def fit_transform(self, x):
        self.data_min_, self.scale_ = x.min(0), 1.0 / (x.max(0) - x.min(0))
        self.min_ = -self.data_min_ * self.scale_
        return x * self.scale_ + self.min_

    def inverse_transform(self, x):
        x = x.copy()
        x -= self.min_
        x /= self.scale_
        return x


def read_quotes(n=260):
    """Open, high, low, close, volume and four indicators."""
    close = 100 + np.cumsum(rng.normal(0, 1, n))
    columns = [close + rng.normal(0, 0.5, n) for _ in range(3)] + [close, rng.uniform(1e5, 2e5, n)]
    columns += [np.convolve(close, np.ones(k) / k, "same") for k in (3, 5, 8, 13)]
    return np.stack(columns, axis=1)


df = read_quotes()
training_data_len = int(len(df) * 0.8)
scaler = MinMaxScaler()
scaled_data = scaler.fit_transform(df)

look_back = 20
x, y = [], []
for i in range(look_back, len(scaled_data)):
    x.append(scaled_data[i - look_back:i])
    y.append(scaled_data[i, 3])
x, y = np.array(x, dtype="float32"), np.array(y, dtype="float32")
split = training_data_len - look_back
x_train, y_train, x_test = x[:split], y[:split], x[split:]
y_test = df[training_data_len:, 3]

model = Sequential()
model.add(Input((x_train.shape[1], x_train.shape[2])))
model.add(LSTM(24, return_sequences=True))
model.add(LSTM(18, return_sequences=False))
model.add(Dense(12))
model.add(Dense(1))
model.compile(optimizer="adam", loss="mean_squared_error")
model.fit(x_train, y_train, batch_size=16, epochs=1, verbose=0)

predictions = model.predict(x_test, verbose=0)
predictions = scaler.inverse_transform(predictions)
rmse = np.sqrt(np.mean((predictions[:, 0] - y_test) ** 2))
print("rmse", rmse)
