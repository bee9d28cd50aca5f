"""SavedModels and TFLite files as converters write them, held against a real call and the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case

RNG = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return RNG.normal(size=shape).astype("float32")


def interpreted(
    path: Path, feed: Mapping[str, Any] | list[Any]
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]], list[tuple[int, ...]]]:
    """The shapes of the inputs, of all operators' outputs and of the model's outputs, after resize."""
    import tensorflow as tf

    runner = tf.lite.Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    inputs = runner.get_input_details()
    arrays = (
        feed
        if isinstance(feed, list)
        else [next(a for n, a in feed.items() if n in d["name"]) for d in inputs]
    )
    for detail, array in zip(inputs, arrays, strict=True):
        if tuple(detail["shape"]) != array.shape:
            runner.resize_tensor_input(detail["index"], array.shape)
    runner.allocate_tensors()
    for detail, array in zip(inputs, arrays, strict=True):
        runner.set_tensor(detail["index"], array.astype(detail["dtype"]))
    runner.invoke()
    fed = {d["name"]: a.shape for d, a in zip(inputs, arrays, strict=True)}
    details = {d["index"]: d for d in runner.get_tensor_details()}
    made: set[int] = set()
    computed = {int(d["index"]) for d in inputs}
    for op in runner._get_ops_details():
        if any(int(i) in computed for i in op["inputs"] if int(i) >= 0):  # else it unpacks a weight
            computed |= {int(i) for i in op["outputs"]}
            # sizes that a graph computes from sizes are no activations
            outs = [int(i) for i in op["outputs"] if int(i) in details]
            made |= {i for i in outs if len(details[i]["shape"]) > 1 or details[i]["dtype"] != np.int32}
    values = {}
    for detail in runner.get_tensor_details():
        if detail["index"] in made and detail["name"]:
            try:
                values[detail["name"]] = tuple(int(n) for n in runner.get_tensor(detail["index"]).shape)
            except ValueError:
                continue
    outs = [tuple(int(n) for n in runner.get_tensor(d["index"]).shape) for d in runner.get_output_details()]
    return fed, values, outs


def converted(
    folder: Path,
    name: str,
    source: Any,
    feeds: list[list[Any]],
    params: int | None = None,
    counts: Mapping[str, int] | None = None,
    **settings: Any,
) -> Iterator[Subject]:
    import tensorflow as tf

    if isinstance(source, Path):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
    elif isinstance(source, tuple):
        converter = tf.lite.TFLiteConverter.from_concrete_functions(*source)
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(source)
    for key, value in settings.items():
        setattr(converter, key, value)
    path = folder / f"{name}.tflite"
    path.write_bytes(converter.convert())
    for at, feed in enumerate(feeds):
        fed, values, outs = interpreted(path, feed)
        yield Subject(
            f"{name}.tflite#{at}", path, fed, values=values, outputs=outs, params=params, counts=counts or {}
        )


def exported(
    folder: Path,
    name: str,
    model: Any,
    feeds: list[Any],
    params: int | None = None,
    counts: Mapping[str, int] | None = None,
) -> Iterator[Subject]:
    """A Keras model's own SavedModel, held against a call of it as loaded."""
    import tensorflow as tf

    path = folder / name
    model.export(path, verbose=False)
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    keys = list(signature.structured_input_signature[1])
    for at, feed in enumerate(feeds):
        arrays = feed if isinstance(feed, list) else [feed]
        told = signature(**{k: tf.constant(a) for k, a in zip(keys, arrays, strict=True)})
        fed = {k: a.shape for k, a in zip(keys, arrays, strict=True)}
        outs = [tuple(v.shape) for _, v in sorted(told.items())]
        yield Subject(f"{name}#{at}", path, fed, outputs=outs, params=params, counts=counts or {})


def trained(model: Any) -> int:
    """Give every weight numbers, for a converter drops zeros; and count them."""
    for weight in model.weights:
        weight.assign(np.abs(RNG.normal(size=weight.shape)) + 0.1)
    return int(sum(int(np.prod(w.shape)) for w in model.weights))


def cnn() -> Any:
    import keras
    from keras import layers as L

    return keras.Sequential(
        [
            keras.Input((28, 32, 3), name="image"),
            L.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
            L.BatchNormalization(),
            L.ReLU(max_value=6),
            L.DepthwiseConv2D(3, depth_multiplier=2),
            L.MaxPooling2D((2, 3)),
            L.Conv2D(5, (1, 3), activation="relu"),
            L.Flatten(),
            L.Dense(7, activation="softmax"),
        ]
    )


@case("tf")
def cnn_forms(folder: Path) -> Iterator[Subject]:
    import tensorflow as tf

    model = cnn()
    total = trained(model)
    feeds = [floats(1, 28, 32, 3), floats(3, 28, 32, 3)]
    yield from exported(folder, "cnn", model, feeds, total)
    folded = total - 6 * 4 + 6  # the batch norm goes into the kernel, and leaves a bias
    yield from converted(folder, "cnn", model, [[f] for f in feeds], folded)
    yield from converted(
        folder,
        "cnn_f16",
        model,
        [[feeds[0]]],
        folded,
        optimizations=[tf.lite.Optimize.DEFAULT],
        target_spec=_f16(),
    )
    yield from converted(
        folder, "cnn_dyn", model, [[feeds[1]]], folded, optimizations=[tf.lite.Optimize.DEFAULT]
    )

    def data() -> Iterator[list[Any]]:
        for _ in range(4):
            yield [floats(1, 28, 32, 3)]

    yield from converted(
        folder,
        "cnn_int8",
        model,
        [[feeds[0]]],
        folded,
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=data,
    )


def _f16() -> Any:
    import tensorflow as tf

    spec = tf.lite.TargetSpec()
    spec.supported_types = [tf.float16]
    return spec


@case("tf")
def lstm_forms(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    model = keras.Sequential(
        [keras.Input((12, 5), name="x"), L.LSTM(6, return_sequences=True), L.Dense(4), L.LSTM(3)]
    )
    total = trained(model)
    yield from exported(folder, "lstm", model, [floats(2, 12, 5)], total, {"lstm": 2, "linear": 1})
    x = keras.Input(batch_shape=(1, 12, 5), name="x")
    fixed = keras.Model(x, model(x))
    yield from converted(folder, "lstm", fixed, [[floats(1, 12, 5)]], total, {"lstm": 2, "linear": 1})


@case("tf")
def gru_bidirectional(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None,), dtype="int32", name="ids")
    y = L.Bidirectional(L.GRU(5, return_sequences=True))(L.Embedding(21, 6)(x))
    model = keras.Model(x, L.Dense(3)(y))
    yield from exported(
        folder,
        "gru",
        model,
        [RNG.integers(0, 9, (2, 7)).astype("int32"), RNG.integers(0, 9, (1, 4)).astype("int32")],
        trained(model),
        {"gru": 2},
    )


@case("tf")
def unet(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, None, 3), name="x")
    a = L.Conv2D(6, 3, padding="same", activation="relu")(x)
    b = L.Conv2D(10, 3, padding="same", activation="relu")(L.MaxPooling2D()(a))
    u = L.Conv2DTranspose(6, 2, strides=2, padding="same")(b)
    y = L.Conv2D(2, 1)(L.Concatenate()([u, a]))
    model = keras.Model(x, y)
    yield from exported(folder, "unet", model, [floats(1, 24, 36, 3), floats(2, 12, 20, 3)], trained(model))
    yield from converted(folder, "unet", model, [[floats(1, 24, 36, 3)]], trained(model))
    i = keras.Input((24, 36, 3), name="x")
    yield from converted(
        folder, "unet_fixed", keras.Model(i, model(i)), [[floats(2, 24, 36, 3)]], trained(model)
    )


@case("tf")
def attention_block(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((9, 16), name="x")
    y = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 8)(x, x)]))
    y = L.Add()([y, L.Dense(16)(L.Dense(40, activation="gelu")(y))])
    model = keras.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(y)))
    yield from exported(folder, "transformer", model, [floats(2, 9, 16)], trained(model))
    yield from converted(folder, "transformer", model, [[floats(1, 9, 16)], [floats(3, 9, 16)]])


@case("tf")
def fixed_reshape(folder: Path) -> Iterator[Subject]:
    """A flatten whose length the converter has fixed: another size is refused by the interpreter."""
    import keras
    from keras import layers as L

    x = keras.Input((16, 18, 2), name="x")
    model = keras.Model(
        x, L.Dense(3)(L.Reshape((4, 14))(L.Flatten()(L.Conv2D(1, 5, strides=2)(L.ZeroPadding2D(1)(x)))))
    )
    trained(model)
    yield from converted(
        folder, "reshaped", model, [[floats(1, 16, 18, 2)], [floats(2, 16, 18, 2)]], 51 + 14 * 3 + 3
    )
    path = folder / "reshaped.tflite"
    try:
        interpreted(path, [floats(1, 20, 22, 2)])
        ran = True
    except (RuntimeError, ValueError):
        ran = False
    assert not ran
    yield Subject("reshaped.tflite at 20x22", path, runs=False, given=("1,20,22,2",))


@case("tf")
def image_functions(folder: Path) -> Iterator[Subject]:
    """A `tf.Module` with two signatures, made of plain operators."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(floats(3, 3, 3, 6))
            self.v = tf.Variable(floats(6, 4))

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="image")])  # type: ignore[untyped-decorator]
        def embed(self, image: Any) -> Any:
            y = tf.image.resize(image, (20, 24))
            y = tf.nn.conv2d(y, self.w, strides=2, padding="SAME")
            y = tf.reduce_mean(y[:, 1:, ::2, :], axis=[1, 2])
            return {"vector": y @ self.v}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 4], tf.float32, name="a"),
                tf.TensorSpec([None, 4], tf.float32, name="b"),
            ]
        )  # type: ignore[untyped-decorator]
        def compare(self, a: Any, b: Any) -> Any:
            return {"scores": tf.matmul(tf.nn.l2_normalize(a, 1), tf.nn.l2_normalize(b, 1), transpose_b=True)}

    module = Module()
    path = folder / "functions"
    tf.saved_model.save(
        module, str(path), signatures={"serving_default": module.embed, "compare": module.compare}
    )
    yield Subject("functions", path, {"image": (2, 31, 40, 3)}, outputs=[(2, 4)], params=3 * 3 * 3 * 6 + 24)
    yield from converted(
        folder, "functions", ([module.embed.get_concrete_function()], module), [[floats(1, 31, 40, 3)]]
    )


@case("tf")
def operators(folder: Path) -> Iterator[Subject]:
    """Many operators of TFLite in one graph."""
    import tensorflow as tf

    table = tf.constant(floats(11, 6))

    @tf.function(input_signature=[tf.TensorSpec([2, 8, 12, 6], tf.float32), tf.TensorSpec([2, 5], tf.int32)])  # type: ignore[untyped-decorator]
    def net(x: Any, ids: Any) -> Any:
        a = tf.nn.space_to_depth(x, 2)
        b = tf.nn.depth_to_space(a, 2)
        c = tf.pad(b, [[0, 0], [1, 2], [0, 3], [0, 0]], mode="REFLECT")
        d = tf.strided_slice(c, [0, 0, 1, 0], [2, 11, 15, 6], [1, 3, 2, 1])
        e = tf.transpose(d, [0, 3, 1, 2])
        f = tf.gather(table, ids)
        g = tf.one_hot(ids, 7)
        h = tf.concat([f, g], axis=-1)
        i = tf.stack(tf.split(h, [2, 3], axis=1)[::1][0:1] * 2, axis=1)
        j = tf.image.resize(x, (13, 9), method="nearest")
        k = tf.nn.avg_pool2d(j, (3, 2), (2, 2), "SAME")
        m, n = tf.nn.top_k(tf.reduce_max(k, axis=1), 2)
        o = tf.tile(tf.expand_dims(m, 1), [1, 3, 1, 2])
        p = tf.argmax(h, axis=-1, output_type=tf.int32)
        q = tf.broadcast_to(tf.reshape(tf.cast(p, tf.float32), [2, 5, 1]), [2, 5, 4])
        r = tf.einsum("btc,bsc->bts", h, h)
        s = tf.reverse(tf.cumsum(r, axis=1), axis=[2])
        return e, i, o, q, s, tf.cast(n, tf.float32)

    yield from converted(
        folder,
        "operators",
        ([net.get_concrete_function()],),
        [[floats(2, 8, 12, 6), RNG.integers(0, 9, (2, 5)).astype("int32")]],
    )


@case("tf")
def video_and_volumes(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((6, 14, 16, 2), name="clip")
    y = L.Conv3D(5, (2, 3, 3), strides=(1, 2, 2))(x)
    y = L.TimeDistributed(L.Conv2D(4, 3, padding="same"))(y)
    y = L.TimeDistributed(L.GlobalMaxPooling2D())(y)
    model = keras.Model(x, L.Conv1D(3, 2, padding="causal", dilation_rate=2)(y))
    yield from exported(folder, "video", model, [floats(2, 6, 14, 16, 2)], trained(model))
    yield from converted(folder, "video", model, [[floats(1, 6, 14, 16, 2)]])


@case("tf")
def transposed_tflite(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((7, 9, 4), name="x")
    y = L.Conv2DTranspose(3, 4, strides=3)(x)
    y = L.Conv2DTranspose(5, 3, strides=2, padding="same", activation="relu")(y)
    y = L.Conv1DTranspose(2, 3, strides=2)(L.Reshape((-1, 5))(L.Cropping2D(((20, 20), (20, 20)))(y)))
    model = keras.Model(x, y)
    yield from converted(
        folder, "transposed", model, [[floats(1, 7, 9, 4)], [floats(2, 7, 9, 4)]], trained(model)
    )
    yield from exported(folder, "transposed", model, [floats(2, 7, 9, 4)], trained(model))
