"""Networks of further kinds: loops around layers, grouped and transposed convolutions, masks."""

from __future__ import annotations

from typing import Any

from .networks import NETWORKS, network

__all__ = ["NETWORKS", "ONLY_TENSORFLOW"]

#: What TFLite's converter refuses without TensorFlow's own operators.
ONLY_TENSORFLOW = {
    "cells_in_a_loop", "two_inputs_and_outputs", "unequal_recurrent", "maps_in_time", "strided_windows",
    "states_given_as_inputs", "pooled_pyramid",
}  # fmt: skip


@network([(1, 9, 11, 4)], [(2, 9, 11, 4)], [(3, 14, 9, 4)], fast=True)
def grouped_and_dilated() -> Any:
    """Grouped convolutions with dilations and strides, each followed by a norm and a shuffle of channels."""
    import keras
    from keras import layers as k

    x = keras.Input((None, None, 4))
    y = k.Conv2D(6, 3, padding="same", groups=2, activation="relu")(x)
    y = k.BatchNormalization()(k.Conv2D(9, (3, 2), dilation_rate=(2, 1), padding="same", groups=3)(y))
    y = k.Concatenate()([y[..., place::3] for place in range(3)])
    y = k.DepthwiseConv2D(3, dilation_rate=2, padding="same", depth_multiplier=2)(y)
    return keras.Model(x, k.GlobalMaxPooling2D(keepdims=True)(y))


@network([(1, 6, 5, 3)], [(2, 6, 5, 3)], [(1, 9, 7, 3)])
def transposed_stack() -> Any:
    """Transposed convolutions with odd strides, paddings and an output padding, cropped to one another."""
    import keras
    from keras import layers as k

    x = keras.Input((None, None, 3))
    a = k.Conv2DTranspose(7, 3, strides=(2, 3), padding="same", activation="leaky_relu")(x)
    b = k.Conv2DTranspose(5, (2, 4), strides=2, padding="valid", output_padding=(1, 1))(x)
    c = k.Conv2DTranspose(4, 5, strides=2, padding="same")(x)
    return keras.Model(x, [k.Conv2D(2, 1)(a), k.Cropping2D(((1, 0), (0, 1)))(b), k.UpSampling2D((1, 2))(c)])


@network([(1, 20, 6)], [(2, 20, 6)], [(3, 33, 6)])
def transposed_in_time() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((None, 6))
    y = k.Conv1D(8, 4, strides=3, padding="same", groups=2)(x)
    y = k.Conv1DTranspose(10, 5, strides=2, padding="same")(y)
    y = k.SeparableConv1D(12, 3, dilation_rate=2, padding="same", depth_multiplier=2)(y)
    return keras.Model(x, k.UpSampling1D(2)(k.ZeroPadding1D((1, 2))(y)))


@network([(1, 10)], [(2, 10)], [(3, 10)])
def masked_attention() -> Any:
    """Attention over padded tokens, whose mask is computed from the tokens."""
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((10,), dtype="int32")
    mask = ops.not_equal(x, 0)
    y = k.Embedding(30, 12)(x) + k.Embedding(10, 12)(ops.arange(10))
    both = ops.logical_and(mask[:, None, :], mask[:, :, None])
    y = k.LayerNormalization(epsilon=1e-6)(
        y + k.MultiHeadAttention(3, 4, value_dim=5)(y, y, attention_mask=both)
    )
    y = y + k.Dense(12)(k.Dense(20, activation="gelu")(y))
    kept = ops.cast(mask, "float32")[..., None]
    return keras.Model(x, ops.sum(y * kept, 1) / ops.maximum(ops.sum(kept, 1), 1.0))


@network([(1, 7, 5), (1, 9)], [(2, 7, 5), (2, 9)], [(3, 7, 5), (3, 9)])
def two_inputs_and_outputs() -> Any:
    import keras
    from keras import layers as k

    sound, words = keras.Input((7, 5), name="sound"), keras.Input((9,), dtype="int32", name="words")
    a = k.Bidirectional(k.LSTM(4, return_sequences=True), merge_mode="ave")(sound)
    b = k.Embedding(25, 4)(words)
    c = k.Attention(score_mode="concat", use_scale=True)([a, b])
    d = k.GlobalAveragePooling1D()(k.Concatenate()([a, c]))
    return keras.Model([sound, words], {"score": k.Dense(3, activation="softmax")(d), "kept": c})


@network([(1, 8, 4)], [(2, 8, 4)], [(3, 8, 4)])
def unequal_recurrent() -> Any:
    """A GRU forwards and an LSTM backwards, joined; then one of cells of unequal widths."""
    import keras
    from keras import layers as k

    x = keras.Input((8, 4))
    both = k.Bidirectional(
        k.GRU(5, return_sequences=True),
        backward_layer=k.LSTM(5, return_sequences=True, go_backwards=True),
    )(x)
    cells = [k.LSTMCell(6), k.GRUCell(3), k.SimpleRNNCell(4)]
    y = k.RNN(cells, return_sequences=True)(both)
    return keras.Model(
        x, k.TimeDistributed(k.Dense(2))(k.SimpleRNN(7, activation="relu", return_sequences=True)(y))
    )


@network([(1, 5, 8, 6, 2)], [(2, 5, 8, 6, 2)], [(1, 5, 8, 6, 2)])
def maps_in_time() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((5, 8, 6, 2))
    y = k.ConvLSTM2D(3, (3, 2), padding="same", return_sequences=True)(x)
    y = k.TimeDistributed(k.Conv2D(4, 2, strides=2))(y)
    return keras.Model(x, k.Conv3D(2, (2, 1, 1))(y))


@network([(1, 6, 4)], [(2, 6, 4)], [(3, 11, 4)], keras=False)
def cells_in_a_loop() -> Any:
    """A cell written by hand that runs over the rows of its input, with a gate of its own kind."""
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.given = tf.Variable(tf.random.stateless_normal((4, 10), (1, 2)), name="given")
            self.kept = tf.Variable(tf.random.stateless_normal((5, 10), (1, 3)), name="kept")

        @tf.function(input_signature=[tf.TensorSpec((None, None, 4), tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            rows = tf.TensorArray(tf.float32, tf.shape(x)[1])
            state = tf.zeros((tf.shape(x)[0], 5))
            for place in tf.range(tf.shape(x)[1]):
                both = x[:, place] @ self.given + state @ self.kept
                gate, made = tf.split(both, 2, 1)
                state = tf.sigmoid(gate) * state + tf.nn.softplus(made)
                rows = rows.write(place, state)
            return tf.transpose(rows.stack(), (1, 0, 2))

    return Module()


@network([(1, 12, 10, 3)], [(1, 12, 10, 3)], [(2, 16, 14, 3)], keras=False)
def refined_recurrently() -> Any:
    """A convolution that refines its own output in a counted loop, and a choice between two resizes."""
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = tf.Variable(tf.random.stateless_normal((3, 3, 3, 6), (1, 2)), name="first")
            self.again = tf.Variable(tf.random.stateless_normal((3, 3, 6, 6), (1, 3)), name="again")

        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            y = tf.nn.conv2d(x, self.first, 1, "SAME")
            for _ in tf.range(3):
                y = tf.nn.relu(tf.nn.conv2d(y, self.again, 1, "SAME") + y)
            size = tf.shape(x)[1:3]
            return tf.cond(
                size[0] > size[1],
                lambda: tf.image.resize(y, size * 2),
                lambda: tf.image.resize(y, size // 2),
            )

    return Module()


@network([(1, 8, 10, 4)], [(2, 8, 10, 4)], [(1, 12, 6, 4)], keras=False)
def counted_refinement() -> Any:
    """A loop of a constant number of rounds around a depthwise convolution."""
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.deep = tf.Variable(tf.random.stateless_normal((3, 3, 4, 1), (1, 2)), name="deep")

        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 4), tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            def once(place: Any, y: Any) -> Any:
                return place + 1, tf.nn.relu6(tf.nn.depthwise_conv2d(y, self.deep, (1, 1, 1, 1), "SAME"))

            shapes = [tf.TensorShape([]), tf.TensorShape([None, None, None, 4])]
            return tf.while_loop(lambda place, _y: place < 5, once, [tf.constant(0), x], shapes)[1]

    return Module()


@network([(1, 16, 12, 3)], [(2, 16, 12, 3)], [(1, 32, 20, 3)])
def pooled_pyramid() -> Any:
    """A pyramid of pools of several sizes, brought back to the size of the input and joined."""
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((None, None, 3))
    y = k.Conv2D(8, 3, padding="same", activation="hard_swish")(x)
    pieces = [y]
    for pool in (2, 4):
        z = k.Conv2D(2, 1)(k.AveragePooling2D(pool, padding="same")(y))
        pieces.append(k.UpSampling2D(pool)(z))
    return keras.Model(x, k.Conv2D(5, 1)(k.Concatenate()([*pieces, ops.roll(y, 1, axis=1)])))


@network([(1, 24, 5)], [(2, 24, 5)], [(3, 40, 5)])
def strided_windows() -> Any:
    import keras
    from keras import layers as k
    from keras import ops

    x = keras.Input((None, 5))
    y = k.Conv1D(8, 4, strides=4, use_bias=False)(x)
    a = ops.softmax(ops.matmul(y, ops.transpose(y, (0, 2, 1))) / 3.0, axis=-1)
    y = k.GroupNormalization(2)(ops.matmul(a, y))
    return keras.Model(x, [k.GRU(6)(y), ops.argmax(y, axis=-1), ops.cumsum(y, axis=1)])


@network([(1, 14, 14, 3)], [(2, 14, 14, 3)], [(3, 14, 14, 3)])
def excited() -> Any:
    """Inverted residuals with squeezes, a norm of units and shared weights."""
    import keras
    from keras import layers as k

    x = keras.Input((14, 14, 3))
    shared = k.Conv2D(12, 1, use_bias=False)
    y = k.Conv2D(12, 3, strides=2, padding="same")(x)
    for _ in range(2):
        z = k.DepthwiseConv2D(3, padding="same", activation="swish")(shared(y))
        s = k.Dense(12, activation="hard_sigmoid")(
            k.Dense(4, activation="relu")(k.GlobalAveragePooling2D()(z))
        )
        y = k.Add()([y, k.Multiply()([z, k.Reshape((1, 1, 12))(s)])])
    return keras.Model(x, k.UnitNormalization()(k.Flatten()(k.MaxPooling2D(3, 2, padding="same")(y))))


@network([(1, 9, 6), (1, 4, 6)], [(2, 9, 6), (2, 4, 6)], [(3, 9, 6), (3, 4, 6)])
def states_given_as_inputs() -> Any:
    """A decoder that begins with the last states of an encoder, whose query is a third input's mean."""
    import keras
    from keras import layers as k
    from keras import ops

    a, b = keras.Input((9, 6)), keras.Input((4, 6))
    _, hidden, cell = k.LSTM(5, return_state=True)(a)
    y = k.LSTM(5, return_sequences=True)(b, initial_state=[hidden, cell])
    z = k.GRU(5, return_sequences=True, reset_after=False)(b, initial_state=hidden)
    return keras.Model([a, b], k.Dot((2, 2), normalize=True)([y, ops.flip(z, 1)]))


@network([(1, 6, 8, 10, 2)], [(2, 6, 8, 10, 2)], [(1, 6, 8, 10, 2)])
def volumes() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((6, 8, 10, 2))
    y = k.Conv3D(6, (2, 3, 3), strides=(1, 2, 2), padding="same", activation="relu")(x)
    y = k.Conv3DTranspose(4, (1, 2, 2), strides=(1, 2, 2), padding="same")(y)
    y = k.BatchNormalization()(y)
    return keras.Model(x, k.Dense(3)(k.Permute((2, 1, 3, 4))(y)))
