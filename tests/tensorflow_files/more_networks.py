"""Networks in the manner of published ones: windows, masks of what comes later, gates, pools by attention."""

from __future__ import annotations

from typing import Any

from .networks import NETWORKS, network

__all__ = ["NETWORKS"]


@network([(1, 16, 16, 4)], [(2, 16, 16, 4)], [(3, 16, 16, 4)])
def windows() -> Any:
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((16, 16, 4))
    y = ops.transpose(ops.reshape(x, (-1, 4, 4, 4, 4, 4)), (0, 1, 3, 2, 4, 5))
    y = k.MultiHeadAttention(2, 3)(z := ops.reshape(y, (-1, 16, 4)), z)
    y = ops.transpose(ops.reshape(y, (-1, 4, 4, 4, 4, 4)), (0, 1, 3, 2, 4, 5))
    return keras.Model(x, ops.roll(ops.reshape(y, (-1, 16, 16, 4)), (-2, -2), (1, 2)))


@network([(1, 12)], [(2, 12)], [(5, 12)])
def causal() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((12,), dtype="int32")
    y = k.Embedding(40, 16)(x)
    y = k.LayerNormalization()(y + k.MultiHeadAttention(4, 4)(y, y, use_causal_mask=True))
    y = k.RMSNormalization()(y + k.Dense(16)(k.Dense(24, activation="silu")(y)))
    return keras.Model(x, k.Dense(41)(y))


@network([(1, 11, 5)], [(2, 13, 5)], [(3, 17, 5)])
def pooled_by_attention() -> Any:
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((None, 5))
    w = k.Softmax(axis=1)(k.Dense(1)(x))
    return keras.Model(x, ops.sum(x * w, 1))


@network([(1, 30, 8)], [(2, 41, 8)], [(3, 50, 8)])
def gated_dilations() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((None, 8))
    y, ends = k.Conv1D(6, 1)(x), []
    for rate in (1, 2, 4):
        given = {"dilation_rate": rate, "padding": "causal"}
        gates = [k.Conv1D(6, 2, activation=name, **given)(y) for name in ("tanh", "sigmoid")]
        z = k.Multiply()(gates)
        ends.append(k.Conv1D(7, 1)(z))
        y = k.Add()([y, k.Conv1D(6, 1)(z)])
    return keras.Model(x, k.Conv1D(9, 1)(k.ReLU()(k.Add()(ends))))
