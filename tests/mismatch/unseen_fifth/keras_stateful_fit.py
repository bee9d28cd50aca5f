"""Four machines, nine sensors each: a stateful LSTM that reads the recordings in pieces of ten steps."""
import numpy as np
from keras.layers import LSTM, Dense, Input, TimeDistributed
from keras.models import Sequential

np.random.seed(2)

n_seq = 4  # machines, the batch
n_time_steps = 120
dim = 9
piece = 10


def recordings():
    """Random walks of the sensors, and what the first sensor will be in the next step."""
    walk = np.cumsum(np.random.randn(n_seq, n_time_steps + 1, dim) * 0.1, axis=1).astype("float32")
    return walk[:, :-1], walk[:, 1:, :1]


def generator(X, Y):
    """Consecutive pieces, as in the FAQ."""
    while True:
        for i in range(X.shape[1] // piece):
            yield X[:, i * piece:(i + 1) * piece, :], Y[:, i * piece:(i + 1) * piece, :]


def build():
    model = Sequential()
    model.add(Input(batch_shape=(n_seq, piece, dim)))
    model.add(LSTM(16, return_sequences=True, stateful=True))
    model.add(LSTM(8, return_sequences=True, stateful=True))
    model.add(TimeDistributed(Dense(1)))
    model.compile(loss="mse", optimizer="rmsprop")
    return model


def reset(model):
    for layer in model.layers:
        if isinstance(layer, LSTM):
            layer.reset_states()


X, Y = recordings()
assert X.shape[1] % piece == 0

model = build()
model.summary()

# the training with a generator works
history = model.fit(generator(X, Y), steps_per_epoch=X.shape[1] // piece, epochs=2, shuffle=False, verbose=0)
print("with the generator", history.history["loss"])
reset(model)

# now the same with arrays, to be able to use validation_split and the callbacks
for epoch in range(2):
    history = model.fit(X, Y, batch_size=n_seq, epochs=1, shuffle=False, verbose=0)
    print("with arrays", epoch, history.history["loss"])
    reset(model)
