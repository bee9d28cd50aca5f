# A chat bot: encoder, repeated context and decoder, over a small vocabulary.
import keras
import numpy as np
from keras import layers

INPUT_SEQUENCE_LENGTH = 16
OUTPUT_SEQUENCE_LENGTH = 14
TOKEN_REPRESENTATION_SIZE = 40
HIDDEN_LAYER_DIMENSION = 96
token_dict_size = 300
LAYERS = 2

rng = np.random.default_rng(0)


def batch(count):
    """Questions as vectors of their tokens, answers as one-hot tokens."""
    X = rng.normal(size=(count, INPUT_SEQUENCE_LENGTH, TOKEN_REPRESENTATION_SIZE)).astype("float32")
    answer = rng.integers(0, token_dict_size, (count, OUTPUT_SEQUENCE_LENGTH))
    Y = np.zeros((count, OUTPUT_SEQUENCE_LENGTH, token_dict_size), dtype="float32")
    for i in range(count):
        Y[i, np.arange(OUTPUT_SEQUENCE_LENGTH), answer[i]] = 1
    return X, Y


model = keras.Sequential()
model.add(keras.Input((INPUT_SEQUENCE_LENGTH, TOKEN_REPRESENTATION_SIZE)))
model.add(layers.LSTM(HIDDEN_LAYER_DIMENSION))
model.add(layers.RepeatVector(OUTPUT_SEQUENCE_LENGTH))
for _ in range(LAYERS):
    model.add(layers.LSTM(HIDDEN_LAYER_DIMENSION, return_sequences=True))
model.add(layers.TimeDistributed(layers.Dense(token_dict_size)))
model.add(layers.Activation("softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")

X, Y = batch(64)
model.fit(X, Y, batch_size=32, epochs=1, verbose=0)
print("trained", model.output_shape)
