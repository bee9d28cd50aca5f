"""Keras functional models, and TFLite models converted from them, run as they are."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fit_judge import Shapes, Subject, case

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33, 35, 40, 48, 64]
FEW = [1, 3, 4, 8, 16, 17, 31, 32, 33, 40]


def subject(build: Callable[[Any, Any], Any]) -> Subject:
    """Return a functional model that is called with zeros."""
    import keras

    model = build(keras, keras.layers)
    every = keras.Model(model.inputs, [layer.output for layer in model.layers])

    def run(shapes: Shapes) -> bool:
        feed = [np.zeros(shape, np.float32) for shape in shapes]
        try:
            found = every(feed[0] if len(feed) == 1 else feed)
        except Exception:  # noqa: BLE001  # Keras and TensorFlow raise many kinds
            return False
        # TensorFlow's kernels go on with nothing, or leave a layer out, where Keras refuses to build it.
        return all(
            0 not in tensor.shape and tensor.shape[-1] == layer.output.shape[-1]
            for tensor, layer in zip(found, model.layers, strict=True)
        )

    return Subject(model, None, run)


def lite(folder: Path, build: Callable[[Any, Any, Any], Any], declared: tuple[Any, ...]) -> Subject:
    """Return a TFLite model; each run is of a new interpreter without delegates.

    The default delegate computes its own shapes and takes sizes that the kernels refuse.
    """
    import keras
    import tensorflow as tf

    model = build(keras, keras.layers, keras.Input(batch_shape=declared))
    path = folder / "m.tflite"
    with contextlib.redirect_stdout(io.StringIO()):
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES

    def run(shapes: Shapes) -> bool:
        runner = tf.lite.Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
        try:
            for details, shape in zip(runner.get_input_details(), shapes, strict=True):
                runner.resize_tensor_input(details["index"], shape)
            runner.allocate_tensors()
            for details, shape in zip(runner.get_input_details(), shapes, strict=True):
                runner.set_tensor(details["index"], np.zeros(shape, details["dtype"]))
            runner.invoke()
        except (RuntimeError, ValueError):
            return False
        # A window that finds no place gives nothing, and the kernels go on with it.
        return all(0 not in details["shape"] for details in runner.get_tensor_details())

    return Subject(path, None, run)


def _unet(keras: Any, L: Any, x: Any) -> Any:
    a = L.Conv2D(4, 3, padding="same")(x)
    b = L.Conv2D(4, 3, strides=2, padding="same")(a)
    y = L.Conv2DTranspose(4, 2, strides=2)(L.Conv2D(6, 3, padding="same")(b))
    return keras.Model(x, L.Conv2D(2, 1)(L.Concatenate()([a, y])))


@case(("N", "H", "W", 3), N=[1, 2], H=SIZES, W=FEW)
def keras_unet(_: Path) -> Subject:
    return subject(lambda keras, L: _unet(keras, L, keras.Input((None, None, 3))))


@case(("N", "H", "W", 3), N=[1, 2], H=SIZES, W=FEW)
def keras_pool_and_upsampling(_: Path) -> Subject:
    def build(keras: Any, L: Any) -> Any:
        x = keras.Input((None, None, 3))
        a = L.Conv2D(4, 3, strides=2, padding="same")(x)
        b = L.UpSampling2D()(L.MaxPooling2D()(a))
        return keras.Model(x, L.GlobalMaxPooling2D()(L.Conv2D(2, 3)(L.Concatenate()([a, b]))))

    return subject(build)


@case(("N", "H", "W", 3), N=[1, 2, 3], H=[1, 31, 32, 33, 40], W=[1, 32, 39, 40, 41])
def keras_declared_sizes(_: Path) -> Subject:
    def build(keras: Any, L: Any) -> Any:
        x = keras.Input((32, 40, 3))
        y = L.MaxPooling2D(2)(L.Conv2D(4, 3)(x))
        return keras.Model(x, L.Dense(5)(L.Flatten()(y)))

    return subject(build)


@case(("N", "L", 5), N=[1, 2], L=[1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 18])
def keras_reshape_of_frames(_: Path) -> Subject:
    def build(keras: Any, L: Any) -> Any:
        x = keras.Input((None, 5))
        return keras.Model(x, L.Dense(3)(L.LSTM(4)(L.Reshape((-1, 20))(x))))

    return subject(build)


@case(("N", "L", 5), ("N", "M", 5), N=[1, 2], L=[1, 2, 3, 4, 6, 7, 8], M=[1, 2, 3, 4, 6, 7, 8])
def keras_two_inputs_added(_: Path) -> Subject:
    def build(keras: Any, L: Any) -> Any:
        a, b = keras.Input((None, 5)), keras.Input((None, 5))
        y = L.Conv1D(4, 3, padding="causal")(a)
        return keras.Model([a, b], L.Add()([y, L.Conv1D(4, 2, strides=1)(b)]))

    return subject(build)


@case(("N", "L", 8), N=[1, 2], L=[1, 2, 4, 6, 7, 8, 10, 11, 12, 13, 16])
def keras_positions(_: Path) -> Subject:
    def build(keras: Any, L: Any) -> Any:
        x = keras.Input((None, 8))
        table = np.zeros((1, 12, 8), np.float32)
        return keras.Model(x, L.Dense(4)(x + keras.ops.convert_to_tensor(table)))

    return subject(build)


@case(("N", "H", "W", 3), N=[1, 2], H=SIZES, W=FEW)
def keras_padding_and_cropping(_: Path) -> Subject:
    def build(keras: Any, L: Any) -> Any:
        x = keras.Input((None, None, 3))
        y = L.Cropping2D(((1, 2), (3, 0)))(L.ZeroPadding2D(((0, 1), (2, 2)))(x))
        return keras.Model(x, L.AveragePooling2D((3, 2))(L.Conv2D(2, 4, dilation_rate=2)(y)))

    return subject(build)


@case(("N", "H", "W", 3), N=[1, 2, 3], H=[15, 16, 17, 24, 32], W=[15, 16, 17, 20, 32])
def lite_flatten(folder: Path) -> Subject:
    def build(keras: Any, L: Any, x: Any) -> Any:
        y = L.MaxPooling2D(2)(L.Conv2D(4, 3, padding="same")(x))
        return keras.Model(x, L.Dense(5)(L.Flatten()(y)))

    return lite(folder, build, (None, 16, 20, 3))


@case(("N", "H", "W", 3), N=[1, 2, 3], H=[15, 16, 17, 24, 32], W=[15, 16, 17, 20, 32])
def lite_baked_batch(folder: Path) -> Subject:
    def build(keras: Any, L: Any, x: Any) -> Any:
        y = L.MaxPooling2D(2)(L.Conv2D(4, 3, padding="same")(x))
        return keras.Model(x, L.Dense(5)(L.Reshape((320,))(y)))

    return lite(folder, build, (1, 16, 20, 3))


@case(("N", "H", "W", 3), N=[1, 2], H=[1, 2, 3, 8, 15, 16, 17, 24], W=[3, 4, 16, 17, 20])
def lite_unet(folder: Path) -> Subject:
    return lite(folder, _unet, (1, 16, 20, 3))


@case(("N", "H", "W", 3), N=[1, 2], H=[1, 2, 3, 8, 15, 16, 17, 24], W=[1, 3, 4, 16, 17, 20])
def lite_valid_convolutions(folder: Path) -> Subject:
    def build(keras: Any, L: Any, x: Any) -> Any:
        y = L.MaxPooling2D(3, 2)(L.Conv2D(4, 3, strides=2)(x))
        return keras.Model(x, L.Dense(5)(L.GlobalAveragePooling2D()(L.DepthwiseConv2D(2)(y))))

    return lite(folder, build, (1, 16, 20, 3))


@case(("N", "H", "W", 3), N=[1, 2], H=[1, 4, 8, 15, 16, 17, 24], W=[4, 16, 17, 20])
def lite_resize_to_a_size(folder: Path) -> Subject:
    def build(keras: Any, L: Any, x: Any) -> Any:
        y = L.Resizing(16, 20)(L.Conv2D(4, 3, strides=2, padding="same")(x))
        return keras.Model(x, L.Concatenate()([x, y]))

    return lite(folder, build, (1, 16, 20, 3))
