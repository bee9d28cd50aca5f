# Classifies reviews by their words and, beside them, the words of a sentiment lexicon that they hold.
import keras
import numpy as np
from keras.layers import LSTM, Bidirectional, Conv1D, Dense, Embedding, GlobalMaxPooling1D, Input
from keras.models import Model
from keras.optimizers import Adam
from keras.utils import pad_sequences

max_length = 35
sen_length = 23
vocab_size = 500
embedding_dim = 16
n_class = 5


def load_reviews(n=80):
    """Numbers of words, a random third of which stand in the lexicon, and the author of the text."""
    rng = np.random.default_rng(0)
    lexicon = set(rng.choice(vocab_size - 1, vocab_size // 3, replace=False) + 1)
    texts = [rng.integers(1, vocab_size, rng.integers(20, 60)) for _ in range(n)]
    sentiment = [[w for w in text if w in lexicon] for text in texts]
    return texts, sentiment, rng.integers(0, n_class, n)


def get_model():
    main_input = Input(shape=(max_length,), dtype="int32", name="main_input")
    x = Embedding(vocab_size, embedding_dim)(main_input)
    lstm_out = Bidirectional(LSTM(12))(x)

    sentiment_input = Input(shape=(sen_length,), name="sentiment_input")
    x = Embedding(vocab_size, embedding_dim)(sentiment_input)
    sen_lstm_out = Bidirectional(LSTM(12))(x)

    result = keras.layers.concatenate([lstm_out, sen_lstm_out])
    result = Conv1D(20, 3, padding="valid", activation="relu", strides=1)(result)
    result = GlobalMaxPooling1D()(result)
    output = Dense(n_class, activation="softmax")(result)
    model = Model(inputs=[main_input, sentiment_input], outputs=output)
    model.compile(loss="categorical_crossentropy", optimizer=Adam(learning_rate=0.01))
    return model


def folds(n, k=2):
    order = np.random.default_rng(1).permutation(n)
    for part in np.array_split(order, k):
        yield np.setdiff1d(order, part), part


keras.utils.set_random_seed(0)
texts, sentiment, y = load_reviews()
trn = pad_sequences(texts, padding="pre", maxlen=max_length)
s_trn = pad_sequences(sentiment, padding="pre", maxlen=sen_length)
p_val = np.zeros((trn.shape[0], n_class))
for i, (i_trn, i_val) in enumerate(folds(len(trn)), 1):
    print(f"training model for CV #{i}")
    clf = get_model()
    clf.fit(
        [trn[i_trn], s_trn[i_trn]],
        keras.utils.to_categorical(y[i_trn], n_class),
        batch_size=20,
        epochs=1,
        verbose=0,
    )
    p_val[i_val] = clf.predict([trn[i_val], s_trn[i_val]], verbose=0)
print("probabilities", p_val.shape, round(float(p_val.max(axis=1).mean()), 3))
