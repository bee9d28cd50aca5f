# Does the premise entail the hypothesis? Two LSTMs, and attention over the words of the premise.
import keras
import numpy as np
from keras import layers, ops

L = 20
N = 14
VOCAB = 300
k = 24


def load_snli(n=64):
    rng = np.random.default_rng(0)
    premises = rng.integers(1, VOCAB, (n, L))
    hypotheses = rng.integers(1, VOCAB, (n, N))
    labels = keras.utils.to_categorical(rng.integers(0, 3, n), 3)
    return premises, hypotheses, labels


def get_H_n(X):
    return X[:, -1, :]


def get_R(X):
    alpha, Y = X[0], X[1]
    return ops.dot(alpha, Y)


def build_model():
    premise = keras.Input((L,), dtype="int32", name="premise")
    hypothesis = keras.Input((N,), dtype="int32", name="hypothesis")
    embed = layers.Embedding(VOCAB, 20, name="embedding")

    Y = layers.LSTM(k, return_sequences=True, name="premise_lstm")(embed(premise))
    h = layers.LSTM(k, return_sequences=True, name="hypothesis_lstm")(embed(hypothesis))
    h_n = layers.Lambda(get_H_n, output_shape=(k,), name="h_n")(h)

    Wy = layers.TimeDistributed(layers.Dense(k, use_bias=False), name="Wy")(Y)
    Whn = layers.Dense(k, use_bias=False, name="Wh_n")(h_n)
    Whn_x_e = layers.RepeatVector(L, name="Wh_n_x_e")(Whn)
    M = layers.Activation("tanh", name="M")(layers.Add(name="WY_plus_WH")([Wy, Whn_x_e]))

    alpha_ = layers.TimeDistributed(layers.Dense(1, activation="linear"), name="alpha_")(M)
    flat_alpha = layers.Flatten(name="flat_alpha")(alpha_)
    alpha = layers.Dense(L, activation="softmax", name="alpha")(flat_alpha)

    r_ = layers.Lambda(get_R, output_shape=(1, k), name="r_")([alpha, Y])
    r = layers.Reshape((k,), name="r")(r_)

    Wr = layers.Dense(k, name="Wr")(r)
    Wh = layers.Dense(k, name="Wh")(h_n)
    h_star = layers.Activation("tanh", name="h_star")(layers.Add()([Wr, Wh]))
    out = layers.Dense(3, activation="softmax", name="entailment")(h_star)
    return keras.Model([premise, hypothesis], out)


keras.utils.set_random_seed(0)
premises, hypotheses, labels = load_snli()
model = build_model()
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit([premises, hypotheses], labels, batch_size=16, epochs=1, verbose=0, validation_split=0.25)
print("loss", round(history.history["loss"][-1], 3), "val", round(history.history["val_loss"][-1], 3))
