"""Keras layers with options that are rarely set, and `keras.ops` between layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from truth_judge import Subject, case
from truth_keras import floats, subjects, tokens


@case("keras")
def attention_by_name(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    q = keras.Input((None, 12), name="q")
    kv = keras.Input((None, 10), name="kv")
    m = keras.Input((None, None), dtype="bool", name="mask")
    y, s = L.MultiHeadAttention(3, 4, value_dim=5, output_shape=14, name="mha")(
        query=q, value=kv, attention_mask=m, return_attention_scores=True
    )
    y = L.LayerNormalization(name="ln")(L.Dense(12, name="back")(y))
    y = L.MultiHeadAttention(2, 6, use_bias=False, name="self")(y, y, use_causal_mask=True)
    feed = {"q": floats(2, 7, 12), "kv": floats(2, 9, 10), "mask": np.ones((2, 7, 9), bool)}
    yield from subjects(
        folder, keras.Model({"q": q, "kv": kv, "mask": m}, {"y": y, "s": s}, name="mhas"), feed
    )


@case("keras")
def grouped_query(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 24), name="x")
    y = L.GroupQueryAttention(head_dim=5, num_query_heads=6, num_key_value_heads=2, name="gqa")(
        x, x, use_causal_mask=True
    )
    y = L.RMSNormalization(name="rms")(y)
    yield from subjects(folder, keras.Model(x, y, name="gqas"), floats(2, 9, 24))


@case("keras")
def attention_pairs(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    q = keras.Input((5, 8), name="q")
    v = keras.Input((7, 8), name="v")
    y, s = L.Attention(use_scale=True, name="luong")([q, v], return_attention_scores=True)
    z = L.Attention(score_mode="concat", name="cat_att")([q, v, v])
    y = L.Concatenate(axis=1, name="cat")([y, z])
    yield from subjects(
        folder, keras.Model([q, v], [y, s], name="luong_net"), [floats(2, 5, 8), floats(2, 7, 8)]
    )


@case("keras")
def masked_transformer(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None,), dtype="int32", name="ids")
    e = L.Embedding(50, 16, mask_zero=True, name="emb")(x)
    a = L.MultiHeadAttention(2, 8, name="mha")(e, e)
    y = L.LayerNormalization(name="ln1")(L.Add(name="add1")([e, a]))
    f = keras.Sequential([L.Dense(32, activation="gelu"), L.Dense(16)], name="ffn")(y)
    y = L.LayerNormalization(name="ln2")(L.Add(name="add2")([y, f]))
    y = L.Dense(2, name="cls")(L.GlobalAveragePooling1D(name="gap")(y))
    yield from subjects(folder, keras.Model(x, y, name="masked_tf"), tokens(3, 10))


@case("keras")
def transposed_options(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, None, 4), name="x")
    y = L.Conv2DTranspose(3, 5, strides=3, padding="same", name="t1")(x)
    y = L.Conv2DTranspose(2, 2, strides=3, padding="valid", name="t2")(y)
    y = L.Conv2DTranspose(5, 3, strides=2, padding="valid", output_padding=0, name="t3")(y)
    z = L.Conv1DTranspose(6, 4, strides=2, padding="same", name="t4")(L.Reshape((-1, 5), name="rs")(y))
    yield from subjects(folder, keras.Model(x, z, name="transposed"), floats(1, 4, 5, 4))


@case("keras")
def separable_family(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((21, 33, 5), name="x")
    y = L.SeparableConv2D(7, (3, 2), strides=2, depth_multiplier=2, padding="same", name="sep")(x)
    y = L.DepthwiseConv2D(3, depth_multiplier=3, dilation_rate=2, name="dw")(y)
    y = L.Conv2D(14, 3, groups=7, padding="same", name="grouped")(y)
    z = L.Reshape((-1, 14), name="seq")(y)
    z = L.SeparableConv1D(6, 5, strides=3, padding="same", name="sep1")(z)
    z = L.DepthwiseConv1D(4, strides=2, depth_multiplier=2, name="dw1")(z)
    z = L.Conv1D(3, 3, dilation_rate=4, padding="causal", name="wave")(z)
    yield from subjects(folder, keras.Model(x, z, name="separables"), floats(2, 21, 33, 5))


@case("keras")
def paddings(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, None, 3), name="x")
    y = L.ZeroPadding2D(((1, 2), (3, 0)), name="zp")(x)
    y = L.MaxPooling2D(3, strides=2, padding="same", name="mp")(y)
    y = L.AveragePooling2D((2, 3), strides=(1, 2), name="ap")(y)
    y = L.UpSampling2D((2, 3), interpolation="bilinear", name="up")(y)
    y = L.Cropping2D(((1, 0), (2, 1)), name="crop")(y)
    y = L.Permute((2, 1, 3), name="perm")(y)
    yield from subjects(folder, keras.Model(x, y, name="paddings"), floats(2, 17, 23, 3))


@case("keras")
def channels_first_tail(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((6, 9, 4), name="x")
    a = L.Flatten(data_format="channels_first", name="flat")(x)
    b = L.GlobalAveragePooling2D(data_format="channels_first", name="gap")(x)
    c = L.GlobalMaxPooling2D(data_format="channels_first", keepdims=True, name="gmp")(x)
    d = L.ZeroPadding2D((1, 2), data_format="channels_first", name="zp")(x)
    e = L.UpSampling2D(2, data_format="channels_first", name="up")(x)
    f = L.MaxPooling1D(2, data_format="channels_first", name="mp1")(L.Reshape((6, 36), name="r")(x))
    model = keras.Model(x, [L.Dense(3, name="fc")(a), b, c, d, e, f], name="cfirst")
    yield from subjects(
        folder, model, floats(2, 6, 9, 4), settings={"flat": {"data_format": "channels_first"}}
    )


@case("keras")
def norms(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((7, 11, 6), name="x")
    y = L.BatchNormalization(axis=1, scale=False, momentum=0.9, epsilon=1e-5, name="bn1")(x)
    y = L.BatchNormalization(center=False, name="bn2")(y)
    y = L.LayerNormalization(axis=[1, 2], name="ln")(y)
    y = L.LayerNormalization(center=False, epsilon=1e-6, name="ln2")(y)
    y = L.GroupNormalization(groups=3, axis=-1, name="gn")(y)
    y = L.GroupNormalization(groups=-1, name="inorm")(y)
    y = L.UnitNormalization(axis=[1, 2], name="un")(y)
    y = L.SpectralNormalization(L.Conv2D(4, 3), power_iterations=2, name="sn")(y)
    settings = {"bn1": {"eps": 1e-5}, "bn2": {"eps": 1e-3}, "ln2": {"eps": 1e-6}}
    yield from subjects(folder, keras.Model(x, y, name="norms"), floats(2, 7, 11, 6), settings=settings)


@case("keras")
def activations(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((5, 8, 3), name="x")
    y = L.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.5, name="relu6")(x)
    y = L.LeakyReLU(negative_slope=0.02, name="leaky")(y)
    y = L.ELU(alpha=0.7, name="elu")(y)
    y = L.PReLU(shared_axes=[1, 2], name="prelu")(y)
    y = L.PReLU(name="prelu_all")(y)
    y = L.Softmax(axis=[1, 2], name="soft")(y)
    y = L.Activation("hard_silu", name="hs")(y)
    y = keras.activations.relu(y, max_value=4)
    settings = {
        "relu6": {"max_val": 6.0, "negative_slope": 0.1, "threshold": 0.5},
        "leaky": {"negative_slope": 0.02},
    }
    yield from subjects(folder, keras.Model(x, y, name="acts"), floats(2, 5, 8, 3), settings=settings)


@case("keras")
def merging(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((9, 12, 6), name="x")
    s = L.GlobalAveragePooling2D(name="sq")(x)
    s = L.Dense(6, activation="sigmoid", name="ex")(L.Reshape((1, 1, 6), name="rs")(s))
    y = L.Multiply(name="se")([x, s])
    z = L.Concatenate(axis=1, name="cat1")([x, y])
    z = L.Subtract(name="sub")([z, L.Average(name="avg")([z, z])])
    a = L.Dot(axes=(1, 2), normalize=True, name="dot")(
        [
            L.Reshape((12, 9), name="ra")(L.Lambda(lambda t: t[..., 0], name="lam", output_shape=(9, 12))(x)),
            L.Reshape((9, 12), name="rb")(L.Conv2D(1, 1, name="one")(x)),
        ]
    )
    m = L.Minimum(name="min")([L.Maximum(name="max")([z, z]), z])
    yield from subjects(folder, keras.Model(x, [a, m], name="merging"), floats(2, 9, 12, 6))


@case("keras")
def einsum_dense(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 12), name="x")
    y = L.EinsumDense("abc,cde->abde", output_shape=(None, 3, 4), bias_axes="de", name="heads")(x)
    y = L.EinsumDense("...de,deo->...o", output_shape=(10,), bias_axes="o", name="merge")(y)
    y = L.EinsumDense("bto,of->btf", output_shape=(None, 7), activation="gelu", name="ff")(y)
    yield from subjects(folder, keras.Model(x, y, name="einsums"), floats(2, 5, 12))


@case("keras")
def functional_ops(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import ops

    x = keras.Input((10, 12, 4), name="x")
    y = ops.reshape(x, (-1, 120, 4))
    a, b = ops.split(y, 2, axis=1)
    y = ops.concatenate([a, b], axis=-1)
    y = ops.einsum("btc,bsc->bts", y, y)
    m = ops.mean(y, axis=1, keepdims=True)
    y = ops.transpose(y - m, (0, 2, 1))[:, ::3, 5:-2]
    y = ops.expand_dims(y, -1)
    y = ops.squeeze(ops.repeat(y, 2, axis=2), -1)
    y = ops.pad(y, ((0, 0), (1, 2), (0, 3)))
    v, i = ops.top_k(y, 5)
    y = ops.stack([v, ops.cast(i, "float32")], axis=2)
    y = ops.roll(ops.cumsum(y, axis=1), 1, axis=1)
    y = ops.tile(y, (1, 1, 1, 2))
    yield from subjects(
        folder, keras.Model(x, y, name="opsnet"), floats(3, 10, 12, 4), files=("keras", "live")
    )


@case("keras")
def image_ops(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import ops

    x = keras.Input((None, None, 3), name="x")
    y = ops.image.resize(x, (20, 26))
    y = ops.average_pool(y, 2, strides=2, padding="same")
    y = ops.max_pool(y, (3, 2), strides=1)
    y = ops.image.pad_images(y, top_padding=2, left_padding=1, target_height=15, target_width=17)
    y = ops.image.rgb_to_grayscale(y)
    y = ops.image.extract_patches(y, size=(3, 4))
    n = ops.norm(y, axis=-1)
    yield from subjects(
        folder, keras.Model(x, [y, n], name="imageops"), floats(2, 31, 33, 3), files=("keras", "live")
    )


@case("keras")
def more_ops(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import ops

    x = keras.Input((6, 10), name="x")
    i = keras.Input((3,), dtype="int32", name="i")
    y = ops.take_along_axis(x, ops.expand_dims(i, -1) * ops.ones((1, 1, 10), "int32"), axis=1)
    o = ops.one_hot(i, 7)
    t = ops.matmul(ops.transpose(o, (0, 2, 1)), y)
    f = ops.flip(ops.sort(t, axis=-1), axis=1)
    g = ops.where(f > 0, f, ops.zeros_like(f))
    s = ops.argmax(g, axis=-1)
    d = ops.diff(g, axis=-1)
    u = ops.unstack(d, axis=1)[2]
    lse = ops.logsumexp(g, axis=(1, 2))
    k = ops.swapaxes(ops.broadcast_to(ops.reshape(u, (-1, 1, 9)), (2, 4, 9)), 1, 2)
    model = keras.Model([x, i], [s, lse, k], name="moreops")
    yield from subjects(folder, model, [floats(2, 6, 10), tokens(2, 3, high=6)], files=("keras", "live"))


@case("keras")
def dynamic_reshape(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 12), name="x")
    y = L.Reshape((-1, 4), name="r1")(x)
    y = L.Conv1D(6, 3, strides=2, padding="same", name="c")(y)
    y = L.Reshape((-1, 2, 3), name="r2")(y)
    y = L.TimeDistributed(L.Flatten(), name="tf")(y)
    y = L.MaxPooling1D(3, padding="same", name="mp")(y)
    yield from subjects(folder, keras.Model(x, y, name="dynres"), floats(2, 7, 12))


@case("keras")
def three_d(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((12, 14, 16, 2), name="scan")
    y = L.Conv3D(5, (3, 2, 1), strides=(1, 2, 1), padding="same", name="c")(x)
    y = L.MaxPooling3D((1, 2, 3), padding="same", name="mp")(y)
    y = L.Conv3DTranspose(3, 2, strides=2, name="t")(y)
    y = L.AveragePooling3D(2, name="ap")(y)
    y = L.ZeroPadding3D((0, 1, 2), name="zp")(y)
    y = L.Cropping3D(((1, 1), (0, 2), (1, 0)), name="cr")(y)
    y = L.UpSampling3D((1, 2, 1), name="up")(y)
    y = L.SpatialDropout3D(0.1, name="sd")(y)
    yield from subjects(folder, keras.Model(x, y, name="volumes"), floats(1, 12, 14, 16, 2))


@case("keras")
def adaptive(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((15, 19, 4), name="x")
    y = L.AdaptiveAveragePooling2D((5, 7), name="aa")(x)
    z = L.AdaptiveMaxPooling2D(3, name="am")(x)
    yield from subjects(
        folder, keras.Model(x, [y, z], name="adaptive"), floats(2, 15, 19, 4), files=("keras", "live")
    )


@case("keras")
def ported_variants(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((16, 20, 3), name="x")
    y = keras.layers.Conv2D(4, (1, 5), padding="same", strides=(1, 2), use_bias=False, name="c")(x)
    y = L.Reshape((-1,), name="flat")(y)
    y = L.Dense(6, kernel_constraint="max_norm", activity_regularizer="l2", name="d1")(y)
    y = L.ActivityRegularization(l2=0.1, name="ar")(y)
    y = L.GaussianNoise(0.1, name="gn")(L.AlphaDropout(0.1, name="ad")(y))
    y = L.Identity(name="id")(y)
    yield from subjects(folder, keras.Model(x, y, name="ported"), floats(2, 16, 20, 3))
