"""Networks of kinds that the others do not have: recurrent layers in a row, shared and nested parts."""

from __future__ import annotations

from typing import Any

from .networks import NETWORKS, network

__all__ = ["NETWORKS", "ONLY_TENSORFLOW"]

#: What TFLite's converter refuses with an open batch: lists whose entries it cannot size, and counts of bins.
ONLY_TENSORFLOW = {
    "recurrent_in_a_row", "both_directions_in_every_step", "translation", "masked_translation", "frames",
    "autoencoder", "tables", "states_in_both_directions", "one_layer_twice", "words_in_lines",
}  # fmt: skip


@network([(1, 9)], [(2, 9)], [(3, 9)])
def recurrent_in_a_row() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((9,), dtype="int32")
    y = k.Embedding(30, 8)(x)
    y = k.LSTM(7, return_sequences=True)(y)
    y = k.GRU(6, return_sequences=True)(y)
    y = k.Conv1D(5, 3, padding="same")(y)
    return keras.Model(x, k.Dense(2)(k.SimpleRNN(4)(y)))


@network([(1, 3, 9, 6)], [(2, 3, 9, 6)], [(4, 3, 9, 6)])
def both_directions_in_every_step() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((3, 9, 6))
    y = k.TimeDistributed(k.Bidirectional(k.LSTM(5)))(x)
    return keras.Model(x, k.Dense(4)(k.Bidirectional(k.GRU(7))(y)))


@network([(1, 5, 8), (1, 9, 8)], [(2, 5, 8), (2, 9, 8)], [(3, 5, 8), (3, 9, 8)])
def attentions() -> Any:
    import keras
    from keras import layers as k

    query, value = keras.Input((5, 8)), keras.Input((9, 8))
    one = k.Attention(use_scale=True)([query, value])
    other = k.AdditiveAttention()([query, value])
    return keras.Model([query, value], k.Dense(3)(k.Concatenate()([one, other, query])))


@network([(1, 9), (1, 7)], [(2, 9), (2, 7)], [(3, 9), (3, 7)])
def translation() -> Any:
    import keras
    from keras import layers as k

    source, target = keras.Input((9,), dtype="int32"), keras.Input((7,), dtype="int32")
    encoded, h, c = k.LSTM(12, return_sequences=True, return_state=True)(k.Embedding(40, 10)(source))
    decoded = k.LSTM(12, return_sequences=True)(k.Embedding(50, 10)(target), initial_state=[h, c])
    context = k.Attention()([decoded, encoded])
    words = k.Dense(50, activation="softmax")(k.Concatenate()([decoded, context]))
    return keras.Model([source, target], words)


@network([(1, 9), (1, 7)], [(2, 9), (2, 7)], [(3, 9), (3, 7)])
def masked_translation() -> Any:
    import keras
    from keras import layers as k

    source, target = keras.Input((9,), dtype="int32"), keras.Input((7,), dtype="int32")
    both = k.Bidirectional(k.GRU(6, return_sequences=True, return_state=True))
    encoded, forward, backward = both(k.Embedding(40, 10, mask_zero=True)(source))
    state = k.Concatenate()([forward, backward])
    decoded = k.GRU(12, return_sequences=True)(k.Embedding(50, 10)(target), initial_state=state)
    context = k.AdditiveAttention()([decoded, encoded])
    return keras.Model([source, target], k.Dense(50)(k.Concatenate()([decoded, context])))


@network([(1, 16, 18, 3), (1, 16, 18, 3)], [(2, 16, 18, 3), (2, 16, 18, 3)], [(3, 16, 18, 3), (3, 16, 18, 3)])
def twins() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((16, 18, 3))
    inner = keras.Sequential([k.Conv2D(4, 3, activation="relu"), k.MaxPooling2D()], name="stem")
    tower = keras.Model(x, k.Dense(6)(k.GlobalAveragePooling2D()(k.Conv2D(5, 3)(inner(x)))), name="tower")
    one, other = keras.Input((16, 18, 3)), keras.Input((16, 18, 3))
    a, b = tower(one), tower(other)
    near = k.Dot(1, normalize=True)([a, b])
    return keras.Model([one, other], [near, k.Dense(2)(k.Subtract()([a, b]))])


@network([(1, 16, 20, 4)], [(2, 16, 20, 4)], [(3, 16, 20, 4)])
def branches() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((16, 20, 4))
    ends = [
        k.Conv2D(6, 1)(x), k.Conv2D(6, (1, 5), padding="same")(k.Conv2D(3, 1)(x)),
        k.Conv2D(6, 3, dilation_rate=2, padding="same")(x),
        k.AveragePooling2D(3, 1, "same")(k.Conv2D(6, 1)(x)),
    ]  # fmt: skip
    merged = [k.Maximum()(ends[:2]), k.Average()(ends[1:]), k.Minimum()(ends), k.Multiply()(ends[2:])]
    y = k.Concatenate()(merged)
    return keras.Model(x, k.Dense(3)(k.Flatten()(k.Cropping2D(((1, 2), (3, 0)))(y))))


@network([(1, 4, 12, 14, 2)], [(2, 4, 12, 14, 2)], [(3, 4, 12, 14, 2)])
def frames() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((4, 12, 14, 2))
    y = k.ConvLSTM2D(5, 3, padding="same", return_sequences=True)(x)
    y = k.BatchNormalization()(y)
    y = k.ConvLSTM2D(3, 3, padding="same")(y)
    return keras.Model(x, k.Conv2D(1, 3, padding="same", activation="sigmoid")(y))


@network([(1, 10)], [(2, 10)], [(4, 10)])
def grouped_heads() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((10,), dtype="int32")
    y = k.Embedding(40, 16)(x)
    z = k.RMSNormalization()(y)
    y = y + k.GroupQueryAttention(4, 8, 2)(z, z, use_causal_mask=True)
    gate, up = k.Dense(24, activation="silu")(y), k.Dense(24)(y)
    return keras.Model(x, k.Dense(40)(k.LayerNormalization()(y + k.Dense(16)(gate * up))))


@network([(1, 11, 8)], [(2, 11, 8)], [(3, 11, 8)], fast=True)
def further_norms() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((11, 8))
    y = k.EinsumDense("abc,cde->abde", output_shape=(None, 3, 4), bias_axes="de")(x)
    y = k.Reshape((11, 12))(y)
    y = k.GroupNormalization(4)(y)
    y = k.UnitNormalization()(k.SpectralNormalization(k.Dense(6))(y))
    return keras.Model(x, k.GlobalMaxPooling1D()(y))


@network([(1, 9, 6)], [(2, 9, 6)], [(3, 9, 6)])
def autoencoder() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((9, 6))
    y = k.LSTM(5)(k.LSTM(8, return_sequences=True)(x))
    y = k.LSTM(8, return_sequences=True)(k.RepeatVector(9)(y))
    return keras.Model(x, k.TimeDistributed(k.Dense(6))(y))


@network([(1, 30, 6)], [(2, 30, 6)], [(3, 30, 6)])
def sequences() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((30, 6))
    y = k.SeparableConv1D(8, 3, padding="same")(x)
    y = k.DepthwiseConv1D(3, depth_multiplier=2, strides=2)(y)
    y = k.Conv1DTranspose(5, 4, strides=2, padding="same")(y)
    y = k.ZeroPadding1D((2, 1))(k.UpSampling1D(2)(k.Cropping1D((1, 3))(y)))
    return keras.Model(x, k.GlobalAveragePooling1D()(k.PReLU(shared_axes=[1])(k.LeakyReLU(0.1)(y))))


@network([(1, 7, 12)], [(2, 7, 12)], [(5, 7, 12)])
def experts() -> Any:
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((7, 12))
    weights = k.Dense(3, activation="softmax")(x)
    every = ops.stack([k.Dense(10, activation="gelu")(x) for _ in range(3)], axis=-1)
    return keras.Model(x, k.Dense(4)(ops.einsum("btde,bte->btd", every, weights)))


@network([(1, 24, 32, 3)], [(2, 24, 32, 3)], [(3, 24, 32, 3)])
def pyramid_of_maps() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((24, 32, 3))
    one = k.Conv2D(6, 3, 2, "same", activation="swish")(x)
    two = k.SeparableConv2D(8, 3, 2, "same", activation="relu6")(one)
    up = k.Add()([k.Conv2D(5, 1)(one), k.UpSampling2D(2, interpolation="bilinear")(k.Conv2D(5, 1)(two))])
    heads = [k.Reshape((-1, 4))(k.Conv2D(8, 3, padding="same")(level)) for level in (up, k.Conv2D(5, 1)(two))]
    return keras.Model(x, k.Softmax()(k.Concatenate(1)(heads)))


@network([(1, 12, 14, 6)], [(2, 12, 14, 6)], [(3, 12, 14, 6)], fast=True)
def squeezed() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((12, 14, 6))
    y = k.DepthwiseConv2D(5, padding="same")(k.Conv2D(12, 1, activation="hard_swish")(x))
    s = k.GlobalAveragePooling2D(keepdims=True)(y)
    s = k.Conv2D(12, 1, activation="hard_sigmoid")(k.Conv2D(3, 1, activation="relu")(s))
    y = k.Conv2D(6, 1)(k.Multiply()([y, s]))
    return keras.Model(x, k.Permute((3, 1, 2))(k.Add()([x, k.Dropout(0.2)(y)])))


@network([(1, 5)], [(2, 5)], [(3, 5)])
def tables() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((5,))
    y = k.Normalization(mean=[0.0, 1.0, 2.0, 3.0, 4.0], variance=[1.0, 2.0, 3.0, 4.0, 5.0])(x)
    bins = k.CategoryEncoding(4, output_mode="multi_hot")(k.Discretization([0.0, 1.0, 2.0])(x))
    return keras.Model(x, k.Dense(3)(k.Concatenate()([y, k.Rescaling(0.5)(x), bins])))


@network([(1, 9, 6)], [(2, 9, 6)], [(3, 9, 6)])
def states_in_both_directions() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((9, 6))
    both = k.Bidirectional(k.LSTM(5, return_sequences=True, return_state=True), merge_mode="mul")
    y, h, c, h_back, c_back = both(x)
    z = k.RNN([k.GRUCell(7), k.LSTMCell(4)], return_sequences=True)(y)
    return keras.Model(x, [z, k.Concatenate()([h, c, h_back, c_back])])


@network([(1, 9, 6)], [(2, 9, 6)], [(3, 9, 6)])
def one_layer_twice() -> Any:
    import keras
    from keras import layers as k

    one, dense = k.LSTM(6, return_sequences=True), k.Dense(6, activation="tanh")
    x = keras.Input((9, 6))
    return keras.Model(x, dense(one(dense(one(x)))))


@network([(1, 8, 10, 3)], [(2, 8, 10, 3)], [(3, 8, 10, 3)])
def patches() -> Any:
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((8, 10, 3))
    y = k.Reshape((20, 12))(k.Conv2D(12, 2, 2)(x))
    places = k.Embedding(20, 12)(ops.arange(20))
    y = y + ops.expand_dims(places, 0)
    for _ in range(2):
        z = k.LayerNormalization()(y)
        y = y + k.MultiHeadAttention(3, 4, dropout=0.1)(z, z)
        y = y + k.Dense(12)(k.Dense(20, activation="gelu")(k.LayerNormalization()(y)))
    return keras.Model(x, k.Dense(5)(y[:, 0]))


@network([(1, 12, 4)], [(2, 12, 4)], [(3, 12, 4)])
def words_in_lines() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((12, 4), dtype="int32")
    y = k.TimeDistributed(k.Embedding(30, 6))(x)
    y = k.TimeDistributed(k.LSTM(5))(y)
    y = k.TimeDistributed(k.Dense(7, activation="relu"))(y)
    return keras.Model(x, k.Dense(2)(k.GRU(4, go_backwards=True)(y)))
