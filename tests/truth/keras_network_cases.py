"""Whole Keras models as users report them: nested, shared, with preprocessing, quantized, broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_keras import floats, subjects, tokens


@case("keras")
def siamese(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    i = keras.Input((28, 30, 1))
    t = L.Conv2D(4, 3, strides=2, padding="same")(i)
    t = L.BatchNormalization()(t)
    t = L.Flatten()(t)
    tower = keras.Model(i, L.Dense(11)(t), name="tower")
    a, b = keras.Input((28, 30, 1), name="left"), keras.Input((28, 30, 1), name="right")
    d = keras.ops.abs(tower(a) - tower(b))
    y = L.Dense(1, activation="sigmoid", name="same")(d)
    yield from subjects(
        folder, keras.Model([a, b], y, name="siamese"), [floats(2, 28, 30, 1), floats(2, 28, 30, 1)]
    )


@case("keras")
def transfer(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    base = keras.applications.MobileNetV2((64, 96, 3), include_top=False, weights=None, alpha=0.35)
    base.trainable = False
    x = keras.Input((64, 96, 3), name="image")
    y = L.RandomFlip("horizontal", name="flip")(x)
    y = L.RandomRotation(0.1, name="rot")(y)
    y = L.Rescaling(1 / 127.5, offset=-1, name="scale")(y)
    y = base(y, training=False)
    y = L.GlobalAveragePooling2D(keepdims=True, name="gap")(y)
    y = L.Dense(7, name="head")(L.Dropout(0.3, name="drop")(y))
    yield from subjects(
        folder, keras.Model(x, y, name="transfer"), floats(2, 64, 96, 3), files=("keras", "live")
    )


@case("keras")
def autoencoder(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    enc = keras.Sequential(
        [
            keras.Input((29, 31, 3)),
            L.Conv2D(8, 3, strides=2, padding="same"),
            L.Conv2D(5, 3, strides=2),
            L.Flatten(),
            L.Dense(10),
        ],
        name="enc",
    )
    dec = keras.Sequential(
        [
            keras.Input((10,)),
            L.Dense(7 * 8 * 4),
            L.Reshape((7, 8, 4)),
            L.Conv2DTranspose(6, 3, strides=2, padding="same", output_padding=1),
            L.Conv2DTranspose(3, (4, 2), strides=(2, 3), output_padding=(1, 2)),
            L.Conv2DTranspose(2, 3, dilation_rate=2),
        ],
        name="dec",
    )
    x = keras.Input((29, 31, 3), name="x")
    yield from subjects(folder, keras.Model(x, dec(enc(x)), name="ae"), floats(2, 29, 31, 3))


@case("keras")
def video_cnn_lstm(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    cnn = keras.Sequential(
        [
            keras.Input((30, 34, 3)),
            L.Conv2D(8, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(10, 3),
            L.MaxPooling2D(3),
            L.Flatten(),
        ],
        name="cnn",
    )
    x = keras.Input((5, 30, 34, 3), name="clip")
    y = L.TimeDistributed(cnn, name="td")(x)
    y = L.Dense(4, name="out")(L.LSTM(9, name="lstm")(y))
    macs = 2 * 5 * (28 * 32 * 8 * 27 + 12 * 14 * 10 * 72)
    yield from subjects(folder, keras.Model(x, y, name="video"), floats(2, 5, 30, 34, 3), macs={"td": macs})


@case("keras")
def time_distributed_layers(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, 20, 22, 3), name="clip")
    y = L.TimeDistributed(L.Conv2D(6, 3, strides=2), name="tc")(x)
    y = L.TimeDistributed(L.BatchNormalization(), name="tb")(y)
    y = L.TimeDistributed(L.MaxPooling2D(2, padding="same"), name="tp")(y)
    y = L.TimeDistributed(L.GlobalAveragePooling2D(), name="tg")(y)
    yield from subjects(folder, keras.Model(x, y, name="tds"), floats(2, 4, 20, 22, 3))


@case("keras")
def dict_io(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    i = {
        "title": keras.Input((None,), dtype="int32", name="title"),
        "tags": keras.Input((12,), name="tags"),
        "img": keras.Input((16, 18, 3), name="img"),
    }
    t = L.LSTM(7, name="lt")(L.Embedding(30, 6, mask_zero=True, name="et")(i["title"]))
    c = L.Flatten(name="fl")(L.Conv2D(4, 3, strides=3, name="cv")(i["img"]))
    z = L.Concatenate(name="cat")([t, i["tags"], c])
    out = {"priority": L.Dense(1, name="priority")(z), "dept": L.Dense(4, name="dept")(z)}
    feed = {"title": tokens(2, 5), "tags": floats(2, 12), "img": floats(2, 16, 18, 3)}
    yield from subjects(folder, keras.Model(i, out, name="tickets"), feed, files=("keras", "live"))


@case("keras")
def unet_dynamic(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((None, None, 3), name="x")
    skips, y = [], x
    for n in (6, 10):
        y = L.Conv2D(n, 3, padding="same", activation="relu", name=f"d{n}")(y)
        skips.append(y)
        y = L.MaxPooling2D(name=f"p{n}")(y)
    y = L.Conv2D(14, 3, padding="same", name="mid")(y)
    for n, s in zip((10, 6), reversed(skips), strict=True):
        y = L.Conv2DTranspose(n, 2, strides=2, padding="same", name=f"u{n}")(y)
        y = L.Concatenate(name=f"c{n}")([y, s])
        y = L.Conv2D(n, 3, padding="same", name=f"e{n}")(y)
    yield from subjects(
        folder, keras.Model(x, L.Conv2D(2, 1, name="head")(y), name="unet"), floats(1, 32, 44, 3)
    )


@case("keras")
def structured_data(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    age, thal, zone = (
        keras.Input((1,), name="age"),
        keras.Input((1,), dtype="int64", name="thal"),
        keras.Input((1,), dtype="int64", name="zone"),
    )
    norm = L.Normalization(name="norm")
    norm.adapt(floats(50, 1))
    look = L.IntegerLookup(vocabulary=[3, 5, 7, 11], output_mode="one_hot", name="look")
    code = L.CategoryEncoding(num_tokens=6, output_mode="multi_hot", name="code")
    buckets = L.Discretization(bin_boundaries=[-1.0, 0.0, 1.0], name="buckets")
    one = L.CategoryEncoding(num_tokens=4, output_mode="one_hot", name="one")
    z = L.Concatenate(name="cat")([norm(age), look(thal), code(zone), one(buckets(age))])
    y = L.Dense(2, name="out")(z)
    feed = [floats(4, 1), np.array([[3], [5], [4], [11]]), np.array([[1], [2], [5], [0]])]
    yield from subjects(
        folder, keras.Model([age, thal, zone], y, name="heart"), feed, files=("keras", "live")
    )


@case("keras")
def hashing(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    a, b = keras.Input((3,), dtype="int64", name="a"), keras.Input((3,), dtype="int64", name="b")
    h = L.Hashing(num_bins=9, name="hash")(a)
    k = L.Hashing(num_bins=8, name="hash1")(b)
    x = L.HashedCrossing(num_bins=6, name="cross")(
        (L.Reshape((), name="sa")(a[:, :1]), L.Reshape((), name="sb")(b[:, :1]))
    )
    y = L.Embedding(9, 4, name="e")(h) + L.Embedding(8, 4, name="e1")(k)
    model = keras.Model([a, b], [y, x], name="hashes")
    yield from subjects(
        folder,
        model,
        [np.array([[1, 2, 3], [4, 5, 6]]), np.array([[7, 8, 9], [1, 4, 2]])],
        files=("keras", "live"),
    )


@case("keras")
def text_classifier(folder: Path) -> Iterator[Subject]:
    import keras
    import tensorflow as tf
    from keras import layers as L

    vec = L.TextVectorization(max_tokens=40, output_sequence_length=9, name="vec")
    vec.adapt(["the cat sat", "a dog ran far"])
    x = keras.Input((), dtype="string", name="text")
    y = L.GlobalAveragePooling1D(name="gap")(L.Embedding(40, 6, mask_zero=True, name="emb")(vec(x)))
    model = keras.Model(x, L.Dense(1, name="out")(y), name="textcls")
    yield from subjects(folder, model, tf.constant(["cat ran", "dog", "a the sat"]), files=("keras", "live"))


@case("keras")
def augmentation(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((40, 44, 3), name="x")
    y = L.RandomCrop(32, 36, name="rc")(x)
    y = L.CenterCrop(30, 28, name="cc")(y)
    y = L.Resizing(24, 26, crop_to_aspect_ratio=True, name="rs")(y)
    y = L.RandomZoom(0.2, name="rz")(y)
    y = L.RandomTranslation(0.1, 0.2, name="rt")(y)
    y = L.RandomContrast(0.3, name="rct")(y)
    y = L.RandomBrightness(0.2, name="rb")(y)
    y = L.Conv2D(3, 3, name="c")(y)
    yield from subjects(
        folder, keras.Model(x, y, name="augment"), floats(2, 40, 44, 3), files=("keras", "live")
    )


@case("keras")
def audio_front(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((4000,), name="wave")
    y = L.MelSpectrogram(
        fft_length=256, sequence_stride=100, num_mel_bins=20, sampling_rate=8000, window=None, name="mel"
    )(x)
    z = L.STFTSpectrogram(
        frame_length=200, frame_step=80, fft_length=256, mode="log", window=None, name="stft"
    )(L.Reshape((4000, 1), name="r")(x))
    z = L.Conv1D(4, 3, name="c")(z)
    yield from subjects(
        folder, keras.Model(x, [y, z], name="audio"), floats(2, 4000), files=("keras", "live")
    )


@case("keras")
def custom_layers(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    @keras.saving.register_keras_serializable("truth")
    class PositionEmbedding(keras.Layer):
        def __init__(self, length: int, dim: int, **kw: Any) -> None:
            super().__init__(**kw)
            self.length, self.dim = length, dim
            self.table = L.Embedding(length, dim)

        def build(self, shape: Any) -> None:
            self.table.build((None,))
            self.scale = self.add_weight(shape=(self.dim,), initializer="ones", name="scale")

        def call(self, x: Any) -> Any:
            n = keras.ops.shape(x)[1]
            return x * self.scale + self.table(keras.ops.arange(n))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "length": self.length, "dim": self.dim}

    x = keras.Input((9, 6), name="x")
    y = PositionEmbedding(9, 6, name="pos")(x)
    y = L.Dense(4, name="fc")(L.GlobalAveragePooling1D(name="gap")(y))
    yield from subjects(folder, keras.Model(x, y, name="custom"), floats(2, 9, 6))


@case("keras")
def subclassed(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    @keras.saving.register_keras_serializable("truth")
    class Block(keras.Model):
        def __init__(self, filters: int = 6, **kw: Any) -> None:
            super().__init__(**kw)
            self.filters = filters
            self.conv_a = L.Conv2D(filters, 3, padding="same")
            self.bn_a = L.BatchNormalization()
            self.conv_b = L.Conv2D(filters, 3, padding="same")
            self.cut = L.Conv2D(filters, 1)
            self.heads = [L.Dense(3), L.Dense(5)]

        def call(self, x: Any, training: bool = False) -> Any:
            y = self.conv_b(keras.ops.relu(self.bn_a(self.conv_a(x), training=training))) + self.cut(x)
            y = keras.ops.mean(y, axis=(1, 2))
            return [head(y) for head in self.heads]

        def get_config(self) -> dict[str, Any]:
            return {"filters": self.filters, "name": self.name}

    model = Block(name="block")
    model(floats(1, 10, 12, 3))
    model.compile("adam", "mse")
    total = model.count_params()
    model.optimizer.build(model.trainable_variables)
    model.save(folder / "block.keras")
    yield Subject("block.keras", folder / "block.keras", params=total)
    model.save_weights(folder / "block.weights.h5")
    yield Subject("block.weights.h5", folder / "block.weights.h5", params=total)
    yield Subject(
        "block.live",
        model,
        {"x": (2, 10, 12, 3)},
        params=total,
        outputs=[(2, 3), (2, 5)],
        given=("2,10,12,3",),
    )


@case("keras")
def compiled_fitted(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    model = keras.Sequential(
        [keras.Input((8,)), L.Dense(12, activation="relu"), L.BatchNormalization(), L.Dense(3)], name="fitted"
    )
    metrics = ["accuracy", keras.metrics.F1Score(name="f1"), keras.metrics.AUC(name="auc")]
    model.compile(
        keras.optimizers.Adam(amsgrad=True),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=metrics,
    )
    model.fit(floats(6, 8), np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]], verbose=0)
    yield from subjects(folder, model, floats(2, 8), params=8 * 12 + 12 + 48 + 39)
    model.save_weights(folder / "fitted.weights.h5")
    yield Subject("fitted.weights.h5", folder / "fitted.weights.h5", params=8 * 12 + 12 + 48 + 39)


@case("keras")
def deferred_sequential(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    model = keras.Sequential(
        [L.Conv2D(5, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(4)], name="deferred"
    )
    model.build((None, 12, 15, 2))
    yield from subjects(folder, model, floats(2, 12, 15, 2))


@case("keras")
def quantized(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    for mode in ("int8", "int4"):
        x = keras.Input((6,), dtype="int32", name="ids")
        y = L.Embedding(31, 16, name="emb")(x)
        y = L.EinsumDense("abc,cd->abd", output_shape=(None, 24), bias_axes="d", name="ein")(y)
        y = L.Dense(10, name="fc")(y)
        model = keras.Model(x, y, name=f"quantized_{mode}")
        total = model.count_params()
        model.quantize(mode)
        yield from subjects(folder, model, tokens(2, 6), files=("keras", "live"), params=total)


@case("keras")
def lora(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((7, 12), name="x")
    y = L.Dense(20, name="fc")(x)
    model = keras.Model(x, L.Dense(4, name="out")(y), name="lora")
    model.get_layer("fc").enable_lora(3)
    yield from subjects(folder, model, floats(2, 7, 12), files=("keras", "live"))


@case("keras")
def half_precision(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    x = keras.Input((14, 18, 3), name="x")
    y = L.Conv2D(6, 3, dtype="mixed_bfloat16", name="c")(x)
    y = L.BatchNormalization(dtype="mixed_bfloat16", name="bn")(y)
    y = L.Dense(3, dtype="float32", name="out")(L.GlobalMaxPooling2D(name="gmp")(y))
    yield from subjects(folder, keras.Model(x, y, name="mixed"), floats(2, 14, 18, 3))


@case("keras")
def tied_embedding(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    emb = L.ReversibleEmbedding(23, 8, tie_weights=True, name="tok")
    x = keras.Input((None,), dtype="int32", name="ids")
    y = emb(x)
    y = L.Dense(8, name="fc")(y)
    y = emb(y, reverse=True)
    yield from subjects(folder, keras.Model(x, y, name="tied"), tokens(2, 5), files=("keras", "live"))


@case("keras")
def weights_apart(folder: Path) -> Iterator[Subject]:
    import keras
    from keras import layers as L

    i = keras.Input((12, 14, 3))
    inner = keras.Model(i, L.BatchNormalization()(L.SeparableConv2D(5, 3)(i)), name="features")
    x = keras.Input((12, 14, 3), name="x")
    y = L.Bidirectional(L.LSTM(4))(L.Reshape((-1, 5))(inner(x)))
    model = keras.Model(x, L.Dense(3)(y), name="apart")
    model.save_weights(folder / "apart.weights.h5")
    yield Subject("apart.weights.h5", folder / "apart.weights.h5", params=model.count_params())
    model.save_weights(folder / "apart.weights.json", max_shard_size=0.00001)
    yield Subject("apart.weights.json", folder / "apart.weights.json", params=model.count_params())


@case("keras")
def broken(folder: Path) -> Iterator[Subject]:
    """A config edited by hand (the usual way to change `num_classes`): Keras refuses to load it."""
    import json
    import zipfile

    import keras
    from keras import layers as L

    x = keras.Input((10, 12, 3), name="x")
    y = L.Dense(6, name="head")(L.Flatten(name="fl")(L.Conv2D(4, 3, name="c")(x)))
    keras.Model(x, y, name="good").save(folder / "good.keras")

    def edited(name: str, change: Callable[[dict[str, Any]], None]) -> Path:
        target = folder / f"{name}.keras"
        with zipfile.ZipFile(folder / "good.keras") as old, zipfile.ZipFile(target, "w") as new:
            for info in old.infolist():
                data = old.read(info)
                if info.filename == "config.json":
                    config = json.loads(data)
                    change({layer["name"]: layer for layer in config["config"]["layers"]})
                    data = json.dumps(config).encode()
                new.writestr(info.filename, data)
        refused = False
        try:
            keras.saving.load_model(target)
        except Exception:  # noqa: BLE001  # Keras refuses by many exceptions
            refused = True
        assert refused
        return target

    def units(layers: dict[str, Any]) -> None:
        layers["head"]["config"]["units"] = 9

    def size(layers: dict[str, Any]) -> None:
        layers["x"]["config"]["batch_shape"] = [None, 11, 12, 3]

    def filters(layers: dict[str, Any]) -> None:
        layers["c"]["config"]["filters"] = 5

    yield Subject("units.keras", edited("units", units), runs=False)
    yield Subject("filters.keras", edited("filters", filters), runs=False)
    try:
        yield Subject("size.keras", edited("size", size), runs=False)
    except AssertionError:
        return
