# Tags words from their characters: an LSTM over letters, then one over words.
import keras
import numpy as np
from keras import layers

max_words, max_chars, n_chars, n_tags = 8, 12, 70, 9

word_chars = keras.Input(shape=(max_words, max_chars), dtype="int32", name="chars")
word_ids = keras.Input(shape=(max_words,), dtype="int32", name="words")

char_embedding = layers.Embedding(n_chars, 24, name="char_embedding")(word_chars)
char_features = layers.Bidirectional(layers.LSTM(20), name="char_lstm")(char_embedding)
word_embedding = layers.Embedding(4000, 50, name="word_embedding")(word_ids)
merged = layers.Concatenate(name="merged")([word_embedding, char_features])
merged = layers.SpatialDropout1D(0.3)(merged)
sequence = layers.Bidirectional(layers.LSTM(64, return_sequences=True), name="word_lstm")(merged)
tags = layers.Dense(n_tags, activation="softmax", name="tags")(sequence)

model = keras.Model([word_ids, word_chars], tags)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")

rng = np.random.default_rng(0)
words = rng.integers(0, 4000, (32, max_words))
chars = rng.integers(0, n_chars, (32, max_words, max_chars))
labels = rng.integers(0, n_tags, (32, max_words))
model.fit([words, chars], labels, epochs=1, batch_size=8, verbose=0)
print(model.output_shape)
