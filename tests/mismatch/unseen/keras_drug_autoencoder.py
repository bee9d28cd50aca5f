# A sequence autoencoder for chemical formulas in one-hot code.
import numpy as np
from keras.layers import LSTM, Dense, Input, RepeatVector, TimeDistributed
from keras.models import Model

MAX_LEN, CATEGORY_NUMS = 60, 25

rng = np.random.default_rng(0)
codes = rng.integers(0, CATEGORY_NUMS, (64, MAX_LEN))
X = np.eye(CATEGORY_NUMS, dtype="float32")[codes]

MInput = Input(shape=(MAX_LEN, CATEGORY_NUMS))
encode_seq = LSTM(64, return_sequences=True)(MInput)
encode_seq = LSTM(32, return_sequences=True)(encode_seq)

decode_seq = RepeatVector(MAX_LEN)(encode_seq)
decode_seq = LSTM(64, return_sequences=True)(decode_seq)
decode_seq = TimeDistributed(Dense(CATEGORY_NUMS, activation="softmax"))(decode_seq)

autoencoder = Model(MInput, decode_seq)
encoder = Model(MInput, encode_seq)
autoencoder.compile(optimizer="adam", loss="categorical_crossentropy")
autoencoder.fit(X, X, batch_size=16, epochs=1, verbose=0)
print("codes", encoder.predict(X[:4], verbose=0).shape)
