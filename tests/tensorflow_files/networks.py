"""Networks of many kinds, each with three sizes of its inputs; the oracles hold them against TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Sizes = Sequence[Sequence[tuple[int, ...]]]


@dataclass(frozen=True)
class Network:
    """A network.

    Args:
        make: returns a Keras model, or a ``tf.Module`` with an input signature on ``__call__``.
        sizes: three shapes for each input.
        keras: whether it is a Keras model.
        select: whether TFLite runs it only with TensorFlow's own operators.
        fast: whether it belongs to the fast cut.
    """

    make: Callable[[], Any]
    sizes: Sizes
    keras: bool = True
    select: bool = False
    fast: bool = False


NETWORKS: dict[str, Network] = {}

#: What TFLite refuses for numbers, not for shapes: an index behind the last row.
REFUSED_BY_NUMBERS = {"picking"}
#: What TFLite's converter refuses without TensorFlow's own operators: lists of a length known only at run
#: time, pools over three axes, and the like.
ONLY_TENSORFLOW = {
    "unet",
    "conv3d",
    "lstm",
    "lstm_sequences",
    "gru",
    "gru_before",
    "simple_rnn",
    "bidirectional",
    "bidirectional_gru",
    "masked_lstm",
    "masked_bidirectional",
    "conv_lstm",
    "encoder_decoder",
    "time_distributed",
    "slices",
    "images",
    "audio",
    "speech_commands",
    "detection",
    "windows",
}


def network(
    *sizes: Sequence[tuple[int, ...]], keras: bool = True, select: bool = False, fast: bool = False
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def add(make: Callable[[], Any]) -> Callable[[], Any]:
        NETWORKS[make.__name__] = Network(make, sizes, keras, select, fast)
        return make

    return add


def _sequential(shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> Any:
    import keras

    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


@network([(1, 17, 19, 3)], [(3, 17, 19, 3)], [(2, 32, 33, 3)], fast=True)
def cnn() -> Any:
    from keras import layers as k

    return _sequential(
        (17, 19, 3),
        k.Conv2D(5, (3, 2), strides=2, padding="same", activation="relu"),
        k.DepthwiseConv2D((3, 2), depth_multiplier=2),
        k.BatchNormalization(),
        k.LeakyReLU(negative_slope=0.2),
        k.MaxPooling2D((2, 3)),
        k.Flatten(),
        k.Dense(11, activation="softmax"),
    )


@network([(1, 32, 40, 3)], [(2, 33, 47, 3)], [(3, 64, 51, 3)], fast=True)
def fully_convolutional() -> Any:
    from keras import layers as k

    return _sequential(
        (None, None, 3),
        k.Conv2D(5, 3, padding="same", dilation_rate=2, activation="relu6"),
        k.Conv2D(7, 3, strides=2, padding="same"),
        k.BatchNormalization(),
        k.ReLU(),
        k.Conv2DTranspose(11, 3, strides=2, padding="same"),
        k.AveragePooling2D((3, 2)),
        k.UpSampling2D((2, 3)),
        k.ZeroPadding2D(((1, 2), (3, 4))),
        k.GlobalAveragePooling2D(),
        k.Dense(13),
    )


@network([(1, 32, 32, 3)], [(2, 48, 64, 3)], [(3, 64, 80, 3)])
def unet() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((None, None, 3))
    a = k.Conv2D(5, 3, padding="same", activation="relu")(x)
    b = k.Conv2D(7, 3, padding="same", activation="relu")(k.MaxPooling2D()(a))
    c = k.Conv2D(11, 3, padding="same", activation="relu")(k.MaxPooling2D()(b))
    d = k.Concatenate()([k.Conv2DTranspose(7, 2, strides=2)(c), b])
    e = k.Concatenate()([k.UpSampling2D()(k.Conv2D(6, 3, padding="same")(d)), a])
    return keras.Model(x, k.Conv2D(2, 1, activation="sigmoid")(e))


@network([(1, 21)], [(2, 21)], [(5, 21)], fast=True)
def generator() -> Any:
    from keras import layers as k

    return _sequential(
        (21,),
        k.Dense(3 * 4 * 10, use_bias=False),
        k.BatchNormalization(),
        k.LeakyReLU(),
        k.Reshape((3, 4, 10)),
        k.Conv2DTranspose(8, (5, 4), strides=(1, 1), padding="same", use_bias=False),
        k.BatchNormalization(),
        k.LeakyReLU(),
        k.Conv2DTranspose(6, (5, 4), strides=(2, 3), padding="same"),
        k.Conv2DTranspose(3, (3, 3), strides=(2, 2), padding="valid", activation="tanh"),
    )


@network([(1, 24, 3)], [(2, 31, 3)], [(4, 40, 3)])
def conv1d() -> Any:
    from keras import layers as k

    return _sequential(
        (None, 3),
        k.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="relu"),
        k.SeparableConv1D(7, 3, padding="same"),
        k.MaxPooling1D(2),
        k.Conv1DTranspose(4, 3, strides=2),
        k.ZeroPadding1D(2),
        k.Cropping1D((1, 2)),
        k.GlobalMaxPooling1D(),
        k.Dense(6),
    )


@network([(1, 9, 10, 11, 2)], [(2, 12, 13, 14, 2)], [(3, 16, 10, 12, 2)])
def conv3d() -> Any:
    from keras import layers as k

    return _sequential(
        (None, None, None, 2),
        k.Conv3D(3, (2, 3, 1), activation="relu"),
        k.MaxPooling3D(2),
        k.Conv3DTranspose(5, 2, strides=2),
        k.GlobalAveragePooling3D(),
        k.Dense(4),
    )


def _recurrent(layer: Any, length: int | None = 9) -> Any:
    from keras import layers as k

    return _sequential((length, 6), layer, k.Dense(4))


@network([(1, 9, 6)], [(3, 9, 6)], [(5, 9, 6)], fast=True)
def lstm() -> Any:
    from keras import layers as k

    return _recurrent(k.LSTM(7))


@network([(1, 5, 6)], [(3, 9, 6)], [(4, 12, 6)])
def lstm_sequences() -> Any:
    from keras import layers as k

    return _recurrent(k.LSTM(7, return_sequences=True), None)


@network([(1, 9, 6)], [(3, 9, 6)], [(5, 9, 6)])
def gru() -> Any:
    from keras import layers as k

    return _recurrent(k.GRU(7, return_sequences=True))


@network([(1, 9, 6)], [(3, 12, 6)], [(5, 10, 6)])
def gru_before() -> Any:
    from keras import layers as k

    return _recurrent(k.GRU(7, reset_after=False), None)


@network([(1, 9, 6)], [(3, 9, 6)], [(5, 9, 6)])
def simple_rnn() -> Any:
    from keras import layers as k

    return _recurrent(k.SimpleRNN(7, return_sequences=True))


@network([(1, 9, 6)], [(3, 9, 6)], [(5, 9, 6)], fast=True)
def bidirectional() -> Any:
    from keras import layers as k

    return _recurrent(k.Bidirectional(k.LSTM(7, return_sequences=True)))


@network([(1, 9, 6)], [(3, 12, 6)], [(5, 10, 6)])
def bidirectional_gru() -> Any:
    from keras import layers as k

    return _recurrent(k.Bidirectional(k.GRU(7), merge_mode="sum"), None)


@network([(1, 9)], [(3, 12)], [(5, 10)], fast=True)
def masked_lstm() -> Any:
    from keras import layers as k

    return _sequential((None,), k.Embedding(31, 8, mask_zero=True), k.LSTM(7), k.Dense(3), dtype="int32")


@network([(1, 9)], [(3, 12)], [(5, 10)])
def masked_bidirectional() -> Any:
    from keras import layers as k

    return _sequential(
        (None,), k.Embedding(31, 8, mask_zero=True), k.Bidirectional(k.GRU(7, return_sequences=True)),
        k.LSTM(6), k.Dense(3), dtype="int32",
    )  # fmt: skip


@network([(1, 4, 9, 10, 2)], [(2, 4, 9, 10, 2)], [(3, 4, 9, 10, 2)])
def conv_lstm() -> Any:
    from keras import layers as k

    lower = k.ConvLSTM2D(3, (2, 3), return_sequences=True)
    return _sequential((4, 9, 10, 2), lower, k.ConvLSTM2D(5, 2), k.MaxPooling2D((2, 3)))


@network([(1, 9, 8), (1, 5, 12)], [(2, 11, 8), (2, 7, 12)], [(3, 9, 8), (3, 5, 12)], fast=True)
def encoder_decoder() -> Any:
    import keras
    from keras import layers as k

    x, y = keras.Input((None, 8)), keras.Input((None, 12))
    _, h, c = k.LSTM(7, return_state=True)(x)
    z = k.LSTM(7, return_sequences=True)(y, initial_state=[h, c])
    return keras.Model([x, y], k.Dense(5, activation="softmax")(z))


@network([(1, 9)], [(2, 12)], [(3, 14)], fast=True)
def transformer() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((None,), dtype="int32")
    e = k.Embedding(31, 12)(x)
    a = k.MultiHeadAttention(3, 4)(e, e)
    e = k.LayerNormalization()(k.Add()([e, a]))
    f = k.Dense(12)(k.Dense(20, activation="gelu")(e))
    e = k.LayerNormalization()(k.Add()([e, f]))
    return keras.Model(x, k.Dense(5)(k.GlobalAveragePooling1D()(e)))


@network([(1, 9, 8), (1, 11, 8)], [(2, 7, 8), (2, 5, 8)], [(3, 6, 8), (3, 4, 8)])
def cross_attention() -> Any:
    import keras
    from keras import layers as k

    x, y = keras.Input((None, 8)), keras.Input((None, 8))
    a = k.Attention()([x, y])
    b = k.AdditiveAttention()([x, y])
    return keras.Model([x, y], k.Concatenate()([a, b]))


@network([(1, 16, 24, 3)], [(2, 16, 24, 3)], [(3, 32, 24, 3)])
def vit() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((16, 24, 3))
    p = k.Conv2D(12, 8, strides=8)(x)
    p = k.Reshape((6, 12))(p)
    p = k.LayerNormalization()(p + k.Embedding(6, 12)(keras.ops.arange(6)))
    p = p + k.MultiHeadAttention(3, 4)(p, p)
    return keras.Model(x, k.Dense(5)(k.GlobalAveragePooling1D()(p)))


@network([(1, 12, 14, 8)], [(2, 13, 15, 8)], [(3, 20, 16, 8)])
def norms() -> Any:
    from keras import layers as k

    return _sequential(
        (None, None, 8),
        k.GroupNormalization(4),
        k.LayerNormalization(axis=-1),
        k.UnitNormalization(),
        k.PReLU(shared_axes=[1, 2]),
        k.ELU(),
        k.Softmax(),
        k.Activation("swish"),
        k.Activation("hard_sigmoid"),
        k.Activation("mish"),
    )


@network([(1, 5, 12, 14, 3)], [(2, 5, 12, 14, 3)], [(3, 7, 12, 14, 3)])
def time_distributed() -> Any:
    import keras
    from keras import layers as k

    inner = keras.Sequential([k.Conv2D(5, 3, strides=2), k.MaxPooling2D(), k.Flatten(), k.Dense(7)])
    return _sequential((None, 12, 14, 3), k.TimeDistributed(inner), k.LSTM(6), k.Dense(2))


@network([(1, 12, 14, 4)], [(2, 14, 16, 4)], [(3, 16, 20, 4)])
def grouped() -> Any:
    from keras import layers as k

    return _sequential(
        (None, None, 4), k.Conv2D(6, 3, groups=2),
        k.SeparableConv2D(7, 3, depth_multiplier=2, padding="same"),
        k.Permute((2, 1, 3)), k.Cropping2D(((1, 2), (0, 1))), k.GlobalMaxPooling2D(keepdims=True),
    )  # fmt: skip


@network([(1, 12, 14, 3)], [(2, 24, 28, 3)], [(3, 30, 21, 3)])
def preprocessing() -> Any:
    from keras import layers as k

    return _sequential(
        (None, None, 3), k.Resizing(10, 11), k.Rescaling(1 / 255),
        k.Normalization(mean=[1.0, 2, 3], variance=[1.0, 4, 9]),
        k.CenterCrop(8, 7), k.Conv2D(5, 3), k.GlobalAveragePooling2D(),
    )  # fmt: skip


@network([(1, 16, 18, 3)], [(2, 16, 18, 3)], [(3, 16, 18, 3)])
def residual() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((16, 18, 3))
    y = k.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = k.ReLU()(k.BatchNormalization()(y))
    z = k.Conv2D(8, 3, padding="same", use_bias=False)(y)
    z = k.ReLU(max_value=6.0)(k.Add()([k.BatchNormalization(scale=False)(z), y]))
    s = k.Dense(8, activation="sigmoid")(k.GlobalAveragePooling2D(keepdims=True)(z))
    z = k.Multiply()([z, s])
    return keras.Model(x, [k.Dense(3)(k.Flatten()(z)), k.Conv2D(2, 1)(z)])


@network([(1, 7)], [(2, 7)], [(5, 7)])
def dense() -> Any:
    import keras
    from keras import layers as k

    x = keras.Input((7,))
    y = k.Dense(5, activation="elu")(x)
    y = k.EinsumDense("ab,bc->ac", 6)(y)
    y = k.Concatenate()([y, x[:, 1:4]])
    z = k.Dot(axes=1)([y, y])
    return keras.Model(x, [y, z, k.RepeatVector(3)(y)])


def _applications(name: str, size: int | None, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        return getattr(keras.applications, name)(
            weights=None, input_shape=(size, size, 3), include_top=size is not None, **options
        )

    return make


for _name, _size, _options in (
    ("MobileNetV2", None, {"alpha": 0.35}),
    ("MobileNetV3Small", 64, {"classes": 7}),
    ("EfficientNetB0", None, {}),
    ("ResNet50V2", 64, {"classes": 7}),
    ("DenseNet121", None, {}),
    ("NASNetMobile", 224, {}),
    ("InceptionV3", None, {}),
    ("ConvNeXtTiny", None, {}),
    ("Xception", None, {}),
):
    _sizes = (
        [[(1, 96, 97, 3)], [(2, 128, 101, 3)], [(1, 150, 160, 3)]]
        if _size is None
        else [[(1, _size, _size, 3)], [(2, _size, _size, 3)], [(3, _size, _size, 3)]]
    )
    NETWORKS[_name] = Network(_applications(_name, _size, **_options), _sizes)


def _module(*signature: tuple[tuple[int | None, ...], str]) -> Callable[[Any], Callable[[], Any]]:
    """Make a ``tf.Module`` of a function of it and its inputs."""

    def wrap(body: Any) -> Callable[[], Any]:
        def make() -> Any:
            import tensorflow as tf

            specs = [tf.TensorSpec(shape, dtype) for shape, dtype in signature]

            class Module(tf.Module):
                @tf.function(input_signature=specs)
                def __call__(self, *inputs: Any) -> Any:
                    return body(self, *inputs)

            return Module()

        make.__name__ = body.__name__
        return make

    return wrap


def _kept(module: Any, name: str, *shape: int) -> Any:
    """Return a variable that the module makes once."""
    import tensorflow as tf

    if not hasattr(module, name):
        with tf.init_scope():
            setattr(module, name, tf.Variable(tf.random.stateless_uniform(shape, (3, 5)), name=name))
    return getattr(module, name)


@network([(1, 12, 14, 3)], [(2, 20, 18, 3)], [(3, 25, 31, 3)], keras=False, fast=True)
@_module(((None, None, None, 3), "float32"))
def pyramid(self: Any, x: Any) -> Any:
    import tensorflow as tf

    c = tf.nn.conv2d(x, _kept(self, "kernel", 3, 3, 3, 5), 2, "SAME")
    size = tf.shape(x)[1:3]
    up = tf.image.resize(c, size)
    near = tf.image.resize(c, size // 2 + 3, method="nearest")
    n, h, w = (tf.shape(c)[axis] for axis in range(3))
    back = tf.nn.conv2d_transpose(c, _kept(self, "back", 2, 2, 4, 5), tf.stack([n, h * 2, w * 2, 4]), 2)
    crop = back[:, : tf.shape(x)[1] - 1, 1:, :]
    flat = tf.reshape(up, [tf.shape(up)[0], -1, 5])
    return {"near": near, "crop": crop, "flat": flat}


@network([(1, 64, 62, 3)], [(2, 64, 62, 3)], [(1, 32, 31, 3)], keras=False)
@_module(((None, None, None, 3), "float32"))
def fixed_reshape(self: Any, x: Any) -> Any:
    import tensorflow as tf

    p = tf.nn.max_pool2d(x, 4, 4, "VALID")
    flat = tf.reshape(p, [tf.shape(p)[0], 720])
    return tf.matmul(flat, _kept(self, "matrix", 720, 7))


@network([(2, 9, 5)], [(3, 12, 5)], [(4, 7, 5)], keras=False, fast=True)
@_module(((None, None, 5), "float32"))
def slices(self: Any, x: Any) -> Any:
    import tensorflow as tf

    n, t = tf.shape(x)[0], tf.shape(x)[1]
    return {
        "last": x[:, -1],
        "first": x[:, 0, 1:3],
        "new": x[:, tf.newaxis, :, ::2],
        "rest": x[..., 2],
        "half": x[:, : t // 2],
        "sliced": tf.slice(x, [0, 1, 0], [-1, t - 2, 3]),
        "tiled": tf.tile(x, [1, 2, 3]),
        "spread": tf.broadcast_to(x[:, :1], [n, 4, 5]),
        "stacked": tf.stack([x, x], 2),
        "filled": tf.fill([n, t + 1], 0.5),
        "padded": tf.pad(x, [[0, 0], [2, 1], [0, 0]]),
        "rows": tf.range(t),
        "hot": tf.one_hot(tf.argmax(x, -1), 6),
        "reversed": tf.reverse(x, [1]),
        "summed": tf.cumsum(x, 1),
        "transposed": tf.transpose(x, [2, 0, 1]),
    }


@network([(2, 9)], [(3, 12)], [(4, 10)], keras=False)
@_module(((None, None), "float32"))
def picking(self: Any, x: Any) -> Any:
    import tensorflow as tf

    top, where = tf.math.top_k(x, 4)
    order = tf.argsort(x, direction="DESCENDING")
    return {
        "top": top,
        "where": tf.gather(x, where, batch_dims=1),
        "order": order,
        "mixed": tf.where(x > 0.5, x, tf.zeros_like(x)),
        "clipped": tf.clip_by_value(x, 0.0, 1.0),
        "found": tf.gather_nd(x, tf.constant([[0, 1], [1, 2], [0, 3]])),
        "places": tf.where(x > 0.5),
        "norm": tf.norm(x, axis=-1),
        "variance": tf.math.reduce_variance(x, 1, keepdims=True),
        "softmax": tf.nn.log_softmax(x),
        "scaled": tf.math.l2_normalize(x, -1),
    }


@network([(2, 800)], [(3, 1000)], [(1, 1600)], keras=False, select=True)
@_module(((None, None), "float32"))
def audio(self: Any, x: Any) -> Any:
    import tensorflow as tf

    stft = tf.signal.stft(x, 400, 160, 512)
    power = tf.abs(stft) ** 2
    mel = tf.matmul(tf.reshape(power, [-1, 257]), tf.signal.linear_to_mel_weight_matrix(40, 257, 16000))
    logs = tf.math.log(tf.reshape(mel, [tf.shape(x)[0], -1, 40]) + 1e-6)
    return {"mel": logs, "mfcc": tf.signal.mfccs_from_log_mel_spectrograms(logs)[..., :13]}


@network([(1600, 1)], [(2000, 1)], [(3200, 1)], keras=False, select=True)
@_module(((None, 1), "float32"))
def speech_commands(self: Any, x: Any) -> Any:
    import tensorflow as tf

    spectrogram = tf.raw_ops.AudioSpectrogram(input=x, window_size=480, stride=160, magnitude_squared=True)
    return tf.raw_ops.Mfcc(spectrogram=spectrogram, sample_rate=16000, dct_coefficient_count=10)


@network(
    [(1, 20, 4), (1, 20, 3)], [(1, 31, 4), (1, 31, 3)], [(1, 12, 4), (1, 12, 3)], keras=False, select=True
)
@_module(((1, None, 4), "float32"), ((1, None, 3), "float32"))
def detection(self: Any, boxes: Any, scores: Any) -> Any:
    import tensorflow as tf

    kept = tf.image.non_max_suppression(boxes[0], scores[0, :, 0], 6)
    every = tf.image.combined_non_max_suppression(boxes[:, :, None], scores, 5, 7)
    return {"kept": tf.gather(boxes[0], kept), "boxes": every[0], "count": every[3]}


@network([(2, 5)], [(3, 5)], [(4, 5)], keras=False)
@_module(((None, 5), "float32"))
def loops(self: Any, x: Any) -> Any:
    import tensorflow as tf

    w = _kept(self, "w", 5, 5)
    y = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, tf.tanh(v @ w)), (0, x))[1]
    return tf.cond(tf.reduce_sum(x) > 0, lambda: y @ w, lambda: y)


@network([(2, 9, 6)], [(3, 9, 6)], [(4, 9, 6)], keras=False)
@_module(((None, 9, 6), "float32"))
def heads(self: Any, x: Any) -> Any:
    import tensorflow as tf

    q = tf.einsum("btf,fhd->bthd", x, _kept(self, "q", 6, 3, 4))
    k = tf.einsum("btf,fhd->bthd", x, _kept(self, "k", 6, 3, 4))
    s = tf.nn.softmax(tf.einsum("bqhd,bkhd->bhqk", q, k))
    o = tf.matmul(s, tf.transpose(k, [0, 2, 1, 3]))
    o = tf.reshape(tf.transpose(o, [0, 2, 1, 3]), [-1, 9, 12])
    return tf.tensordot(o, _kept(self, "o", 12, 7), 1)


@network([(1, 14, 18, 4)], [(2, 20, 24, 4)], [(3, 22, 30, 4)], keras=False)
@_module(((None, None, None, 4), "float32"))
def images(self: Any, x: Any) -> Any:
    import tensorflow as tf

    return {
        "deep": tf.nn.space_to_depth(x, 2),
        "wide": tf.nn.depth_to_space(x, 2),
        "flip": tf.image.flip_left_right(x),
        "gray": tf.image.rgb_to_grayscale(x[..., :3]),
        "crop": tf.image.crop_to_bounding_box(x, 1, 2, 10, 12),
        "lrn": tf.nn.local_response_normalization(x, 2),
        "dilated": tf.nn.conv2d(x, _kept(self, "k", 3, 3, 4, 5), 1, "VALID", dilations=2),
        "patches": tf.image.extract_patches(x, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
        "batch": tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
        "argmax": tf.nn.max_pool_with_argmax(x, 2, 2, "VALID")[0],
        "norm": tf.image.per_image_standardization(x),
        "boxes": tf.image.crop_and_resize(x, tf.constant([[0.0, 0, 1, 1]]), [0], [5, 6]),
    }
