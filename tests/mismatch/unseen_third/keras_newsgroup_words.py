# Sorts texts into twenty groups with word vectors that were trained before.
import keras
import numpy as np
from keras import layers

MAX_SEQUENCE_LENGTH = 150
MAX_NUM_WORDS = 400
EMBEDDING_DIM = 24
VALIDATION_SPLIT = 0.2


def load_texts(n=60, groups=20):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(500)]
    texts, labels, labels_index = [], [], {f"group.{g}": g for g in range(groups)}
    for i in range(n):
        g = i % groups
        chosen = rng.integers(g * 20, g * 20 + 60, rng.integers(40, 220)) % len(words)
        texts.append(" ".join(words[j] for j in chosen))
        labels.append(g)
    return texts, labels, labels_index


def glove_vectors(word_index):
    rng = np.random.default_rng(1)
    return {word: rng.standard_normal(EMBEDDING_DIM) for word in word_index}


def tokenize(texts):
    counts = {}
    for text in texts:
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts, key=counts.get, reverse=True)
    word_index = {word: i + 1 for i, word in enumerate(ranked)}
    sequences = [[word_index[w] for w in t.split() if word_index[w] < MAX_NUM_WORDS] for t in texts]
    return word_index, sequences


texts, labels, labels_index = load_texts()
word_index, sequences = tokenize(texts)
data = keras.utils.pad_sequences(sequences, maxlen=MAX_SEQUENCE_LENGTH)
labels = keras.utils.to_categorical(np.asarray(labels))

indices = np.random.default_rng(2).permutation(data.shape[0])
data = data[indices]
labels = labels[indices]
num_validation_samples = int(VALIDATION_SPLIT * data.shape[0])

x_train = data[:-num_validation_samples]
y_train = data[:-num_validation_samples]
x_val = data[-num_validation_samples:]
y_val = data[-num_validation_samples:]

embeddings_index = glove_vectors(word_index)
num_words = min(MAX_NUM_WORDS, len(word_index) + 1)
embedding_matrix = np.zeros((num_words, EMBEDDING_DIM))
for word, i in word_index.items():
    if i < num_words:
        embedding_matrix[i] = embeddings_index[word]

keras.utils.set_random_seed(0)
embedding_layer = layers.Embedding(
    num_words,
    EMBEDDING_DIM,
    embeddings_initializer=keras.initializers.Constant(embedding_matrix),
    trainable=False,
)
sequence_input = keras.Input(shape=(MAX_SEQUENCE_LENGTH,), dtype="int32")
x = embedding_layer(sequence_input)
x = layers.Conv1D(16, 5, activation="relu")(x)
x = layers.MaxPooling1D(5)(x)
x = layers.Conv1D(16, 5, activation="relu")(x)
x = layers.MaxPooling1D(5)(x)
x = layers.Conv1D(16, 3, activation="relu")(x)
x = layers.GlobalMaxPooling1D()(x)
x = layers.Dense(24, activation="relu")(x)
preds = layers.Dense(len(labels_index), activation="softmax")(x)

model = keras.Model(sequence_input, preds)
model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
history = model.fit(x_train, y_train, batch_size=16, epochs=2, validation_data=(x_val, y_val), verbose=0)
print("loss", round(history.history["loss"][-1], 3))
