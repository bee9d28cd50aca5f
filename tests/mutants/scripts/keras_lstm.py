"""Text classes with an embedding, masks and two stacked bidirectional LSTMs."""
import keras
import numpy as np
from keras import layers

vocab_size = 40
max_len = 15
embed_dim = 11
texts = [[3, 5, 7, 2], [9, 14, 33, 21, 8, 6], [4, 4, 1], [11, 12, 13, 14, 15, 16, 17], [8, 9]]
labels = np.array([0, 1, 2, 3, 1])

x = keras.utils.pad_sequences(texts, maxlen=max_len, padding="post")
keras.utils.set_random_seed(0)
model = keras.Sequential()
model.add(layers.Input(shape=(max_len,)))
model.add(layers.Embedding(input_dim=vocab_size, output_dim=embed_dim, mask_zero=True))
model.add(layers.Bidirectional(layers.LSTM(8, return_sequences=True)))
model.add(layers.Dropout(0.2))
model.add(layers.Bidirectional(layers.LSTM(6)))
model.add(layers.Dense(10, activation="relu"))
model.add(layers.Dense(4, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
model.fit(x, labels, epochs=1, batch_size=5, verbose=0)
print("classes", model.predict(x, verbose=0).shape)
