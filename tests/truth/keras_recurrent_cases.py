"""Recurrent Keras models as users report them: masks, states, cells, both directions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_keras import floats, subjects, tokens


@case("keras")
def ner_tagger(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None,), dtype="int32", name="ids")
    y = L.Embedding(30, 12, mask_zero=True, name="emb")(x)
    y = L.Bidirectional(L.GRU(7, return_sequences=True, dropout=0.1), name="bi")(y)
    y = L.TimeDistributed(L.Dense(5, activation="softmax"), name="td")(y)
    yield from subjects(folder, keras.Model(x, y, name="ner"), tokens(3, 11), settings={})


@case("keras")
def seq2seq_masked(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    e = keras.Input((None, 6), name="enc_in")
    m = L.Masking(0.0, name="mask")(e)
    _, h, c = L.LSTM(8, return_state=True, name="encoder")(m)
    d = keras.Input((None, 9), name="dec_in")
    y, _, _ = L.LSTM(8, return_sequences=True, return_state=True, name="decoder")(d, initial_state=[h, c])
    y = L.Dense(9, activation="softmax", name="out")(y)
    model = keras.Model([e, d], y, name="seq2seq")
    yield from subjects(folder, model, [floats(2, 7, 6), floats(2, 5, 9)])


@case("keras")
def stacked_masked_lstms(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    model = keras.Sequential(
        [
            keras.Input((13,)),
            L.Embedding(40, 6, mask_zero=True, name="emb"),
            L.LSTM(9, return_sequences=True, name="l1"),
            L.Dropout(0.2, name="drop"),
            L.SimpleRNN(4, return_sequences=True, name="l2"),
            L.LSTM(3, name="l3"),
            L.Dense(1, name="score"),
        ],
        name="stacked",
    )
    yield from subjects(folder, model, tokens(2, 13))


@case("keras")
def merge_modes(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((10, 4), name="x")
    a = L.Bidirectional(L.LSTM(6, return_sequences=True), merge_mode="sum", name="summed")(x)
    b = L.Bidirectional(L.GRU(6, return_sequences=True), merge_mode="ave", name="averaged")(x)
    c = L.Bidirectional(L.SimpleRNN(6, return_sequences=True), merge_mode="mul", name="multiplied")(x)
    f, g = L.Bidirectional(L.LSTM(6), merge_mode=None, name="apart")(x)
    y = L.Add(name="all")([a, b, c])
    y = L.Concatenate(name="cat")([L.GlobalMaxPooling1D(name="gmp")(y), f, g])
    model = keras.Model(x, y, name="merges")
    yield from subjects(
        folder,
        model,
        floats(2, 10, 4),
        settings={"summed": {"merge_mode": "sum"}, "apart": {"merge_mode": None}},
    )


@case("keras")
def bidirectional_states(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None,), dtype="int32", name="ids")
    e = L.Embedding(20, 5, mask_zero=True, name="emb")(x)
    out, fh, fc, bh, bc = L.Bidirectional(L.LSTM(4, return_sequences=True, return_state=True), name="enc")(e)
    h, c = L.Concatenate(name="h")([fh, bh]), L.Concatenate(name="c")([fc, bc])
    d = keras.Input((None,), dtype="int32", name="dec")
    z = L.Embedding(22, 6, mask_zero=True, name="demb")(d)
    z = L.LSTM(8, return_sequences=True, name="dec_lstm")(z, initial_state=[h, c])
    a = L.AdditiveAttention(name="att")([z, out])
    y = L.Dense(22, name="logits")(L.Concatenate(name="zc")([z, a]))
    yield from subjects(folder, keras.Model([x, d], y, name="attseq"), [tokens(3, 7), tokens(3, 5)])


@case("keras")
def bidirectional_own_backward(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    forward = L.LSTM(10, return_sequences=True)
    backward = L.LSTM(10, activation="relu", return_sequences=True, go_backwards=True)
    model = keras.Sequential(
        [
            keras.Input((5, 12)),
            L.Bidirectional(forward, backward_layer=backward, name="bi"),
            L.Flatten(name="fl"),
            L.Dense(3, name="out"),
        ],
        name="ownback",
    )
    yield from subjects(folder, model, floats(2, 5, 12))


@case("keras")
def stacked_cells(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 4), name="x")
    y = L.RNN(
        [L.LSTMCell(7), L.GRUCell(5), L.SimpleRNNCell(3)],
        return_sequences=True,
        return_state=True,
        name="cells",
    )(x)
    z = L.RNN(L.StackedRNNCells([L.LSTMCell(6), L.LSTMCell(2)]), name="pair")(y[0])
    yield from subjects(folder, keras.Model(x, z, name="cells_net"), floats(2, 9, 4))


@case("keras")
def gru_options(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((6, 5), name="x")
    y = L.GRU(4, reset_after=False, return_sequences=True, unroll=True, name="old")(x)
    y = L.GRU(3, return_sequences=True, go_backwards=True, use_bias=False, name="back")(y)
    y, s = L.GRU(7, return_sequences=True, return_state=True, name="state")(y)
    y = L.SimpleRNN(2, return_sequences=True, name="plain")(y, initial_state=L.Dense(2, name="toh")(s))
    yield from subjects(
        folder, keras.Model(x, y, name="grus"), floats(3, 6, 5), settings={"back": {"direction": "reverse"}}
    )


@case("keras")
def stateful_forecast(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input(batch_shape=(4, 8, 3), name="series")
    y = L.LSTM(6, stateful=True, return_sequences=True, name="l1")(x)
    y = L.LSTM(5, stateful=True, name="l2")(y)
    y = L.Dense(2, name="out")(L.RepeatVector(3, name="rep")(y))
    yield from subjects(folder, keras.Model(x, y, name="stateful"), floats(4, 8, 3))


@case("keras")
def conv_lstms(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 20, 24, 1), name="frames")
    y = L.ConvLSTM2D(6, (3, 5), padding="same", return_sequences=True, name="c1")(x)
    y = L.BatchNormalization(name="bn")(y)
    y = L.Bidirectional(L.ConvLSTM2D(4, 3, strides=2, return_sequences=True), name="bi")(y)
    y = L.ConvLSTM2D(5, 3, dilation_rate=2, name="c2")(y)
    y = L.Conv2D(1, 1, name="head")(y)
    yield from subjects(folder, keras.Model(x, y, name="convlstm"), floats(1, 3, 20, 24, 1))


@case("keras")
def conv_lstm_1d(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((4, 17, 3), name="x")
    y, h, _ = L.ConvLSTM1D(
        5, 4, strides=2, padding="same", return_state=True, return_sequences=True, name="c1"
    )(x)
    y = L.ConvLSTM1D(2, 2, name="c2")(y)
    yield from subjects(folder, keras.Model(x, [y, h], name="convlstm1"), floats(2, 4, 17, 3))


@case("keras")
def custom_cell(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    @keras.saving.register_keras_serializable("truth")
    class MinimalCell(keras.Layer):
        def __init__(self, units: int, **kw: Any) -> None:
            super().__init__(**kw)
            self.units = self.state_size = units

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
            self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

        def call(self, x: Any, states: Any) -> Any:
            y = keras.ops.matmul(x, self.kernel) + keras.ops.matmul(states[0], self.recurrent_kernel)
            return y, [y]

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    x = keras.Input((7, 5), name="x")
    y = L.RNN(MinimalCell(6), return_sequences=True, name="rnn")(x)
    yield from subjects(
        folder,
        keras.Model(x, L.Dense(3, name="out")(y), name="mincell"),
        floats(2, 7, 5),
        files=("keras", "live"),
    )


@case("keras")
def shared_layers(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    a, b = keras.Input((None,), dtype="int32", name="a"), keras.Input((None,), dtype="int32", name="b")
    emb, lstm = L.Embedding(25, 6, mask_zero=True, name="emb"), L.LSTM(5, name="enc")
    y = L.Concatenate(name="cat")([lstm(emb(a)), lstm(emb(b))])
    yield from subjects(
        folder, keras.Model([a, b], L.Dense(1, name="d")(y), name="sharing"), [tokens(3, 7), tokens(3, 4)]
    )


@case("keras")
def nested_masked(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    i = keras.Input((None,), dtype="int32")
    inner = keras.Model(
        i, L.LSTM(6, return_sequences=True)(L.Embedding(15, 4, mask_zero=True)(i)), name="inner"
    )
    x = keras.Input((None,), dtype="int32", name="ids")
    y = L.GRU(5, name="gru")(inner(x))
    yield from subjects(folder, keras.Model(x, y, name="nestmask"), tokens(2, 8))


@case("keras")
def explicit_mask(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 5), name="x")
    m = keras.Input((None,), dtype="bool", name="m")
    y = L.LSTM(6, return_sequences=True, name="lstm")(x, mask=m)
    y = L.Bidirectional(L.GRU(4), name="bi")(y, mask=m)
    y = L.BatchNormalization(name="bn")(y)
    yield from subjects(
        folder, keras.Model([x, m], y, name="explicit"), [floats(2, 6, 5), np.ones((2, 6), bool)]
    )
