"""Live Keras models: shapes against Keras's own, and nothing about the model changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as K
from keras import ops

from shapeinspect.dims import Unknown, symbol
from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.ir import Call, Model, Shape

N, H, W = symbol("N"), symbol("H"), symbol("W")
Read = Callable[..., Model]


def outputs(model: Model, path: str) -> list[Shape | None]:
    return [model.values[name].shape for call in model.calls if call.layer == path for name in call.outputs]


def fits(shape: Shape | None, keras_shape: tuple[int | None, ...]) -> bool:
    if shape is None or len(shape) != len(keras_shape):
        return False
    return all(
        dim == length if length is not None else not isinstance(dim, int)
        for dim, length in zip(shape, keras_shape, strict=True)
    )


def parameters(model: Model) -> int:
    seen: dict[str, int] = {}
    for layer in model.layers:
        for weight in layer.weights:
            assert weight.size is not None
            seen[weight.storage or weight.name] = weight.size
    return sum(seen.values())


LAYERS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "conv1d": lambda: (K.Conv1D(6, 3, padding="causal", dilation_rate=2), (11, 4)),
    "conv2d": lambda: (K.Conv2D(6, (3, 5), strides=(2, 1), groups=2), (9, 11, 4)),
    "conv3d": lambda: (K.Conv3D(6, 2, padding="same", strides=2), (7, 9, 11, 4)),
    "depthwise": lambda: (K.DepthwiseConv2D(3, depth_multiplier=2), (9, 11, 4)),
    "separable": lambda: (K.SeparableConv2D(7, 3, depth_multiplier=2), (9, 11, 4)),
    "transpose": lambda: (K.Conv2DTranspose(6, 3, strides=2, padding="same"), (9, 11, 4)),
    "transpose, padded": lambda: (K.Conv2DTranspose(6, 3, strides=2, output_padding=1), (9, 11, 4)),
    "dense": lambda: (K.Dense(5), (3, 4)),
    "einsum": lambda: (K.EinsumDense("abc,cd->abd", (None, 5)), (3, 4)),
    "embedding": lambda: (K.Embedding(13, 5), (7,)),
    "batch norm": lambda: (K.BatchNormalization(), (9, 4)),
    "layer norm": lambda: (K.LayerNormalization(), (9, 4)),
    "lstm": lambda: (K.LSTM(5, return_sequences=True), (9, 4)),
    "gru": lambda: (K.GRU(5), (9, 4)),
    "bidirectional": lambda: (K.Bidirectional(K.LSTM(5)), (9, 4)),
    "bidirectional sum": lambda: (K.Bidirectional(K.GRU(5), merge_mode="sum"), (9, 4)),
    "conv lstm": lambda: (K.ConvLSTM2D(5, 3), (3, 9, 8, 4)),
    "distributed conv": lambda: (K.TimeDistributed(K.Conv2D(5, 3)), (3, 9, 8, 4)),
    "distributed dense": lambda: (K.TimeDistributed(K.Dense(5)), (3, 9, 4)),
    "max pool": lambda: (K.MaxPooling2D((2, 3), padding="same"), (9, 8, 4)),
    "average pool": lambda: (K.AveragePooling1D(2, strides=3), (9, 4)),
    "adaptive pool": lambda: (K.AdaptiveAveragePooling2D((3, 2)), (9, 8, 4)),
    "global pool": lambda: (K.GlobalMaxPooling2D(keepdims=True), (9, 8, 4)),
    "pad": lambda: (K.ZeroPadding2D(((1, 2), (3, 4))), (9, 8, 4)),
    "crop": lambda: (K.Cropping2D(((1, 2), (3, 1))), (9, 8, 4)),
    "upsampling": lambda: (K.UpSampling2D((2, 3)), (9, 8, 4)),
    "resizing": lambda: (K.Resizing(5, 7), (9, 8, 4)),
    "flatten": lambda: (K.Flatten(), (9, 8, 4)),
    "reshape": lambda: (K.Reshape((6, -1)), (9, 8, 4)),
    "permute": lambda: (K.Permute((3, 1, 2)), (9, 8, 4)),
    "repeat": lambda: (K.RepeatVector(3), (4,)),
    "prelu": lambda: (K.PReLU(), (9, 4)),
    "spectral": lambda: (K.SpectralNormalization(K.Conv2D(6, 3)), (9, 8, 4)),
    "flip": lambda: (K.RandomFlip(), (9, 8, 4)),
    "group norm": lambda: (K.GroupNormalization(2), (9, 4)),
    "rms norm": lambda: (K.RMSNormalization(), (9, 4)),
    "unit norm": lambda: (K.UnitNormalization(), (9, 4)),
    "cells": lambda: (K.RNN([K.LSTMCell(5), K.LSTMCell(5)]), (9, 4)),
    "transpose 1d": lambda: (K.Conv1DTranspose(6, 3, strides=2), (9, 4)),
    "center crop": lambda: (K.CenterCrop(5, 3), (9, 8, 4)),
    "channels first": lambda: (K.ZeroPadding2D((1, 2), data_format="channels_first"), (4, 9, 8)),
}


@pytest.mark.parametrize("case", LAYERS)
def test_each_layer_as_keras_has_it(case: str, read: Read) -> None:
    layer, shape = LAYERS[case]()
    x = keras.Input(shape)
    model = keras.Model(x, layer(x))
    found = read(model)
    (got,) = outputs(found, layer.name)
    assert fits(got, layer.output.shape)
    assert got is not None
    assert got[0] == N
    assert parameters(found) == model.count_params()
    assert {one.kind for one in found.layers if one.path == layer.name} != {"unknown"}


def test_our_own_arithmetic_agrees_with_keras(read: Read) -> None:
    """Each kind and its attributes lead the core's rules to the shape that Keras computes."""
    from shapeinspect.rules import output_shapes

    checked = 0
    for make in LAYERS.values():
        layer, shape = make()
        x = keras.Input(shape, batch_size=2)
        found = read(keras.Model(x, layer(x)))
        record = next(one for one in found.layers if one.path == layer.name)
        if record.kind in ("module", "einsum"):  # a container; a product whose second operand is a weight
            continue
        call = next(one for one in found.calls if one.layer == layer.name)
        inputs = tuple(found.values[name].shape for name in call.inputs)
        (got,) = output_shapes(record.kind, record.attributes, inputs)
        assert got == tuple(layer.output.shape), (record.kind, record.attributes)
        checked += 1
    assert checked > 25


def test_mobilenet_v2(read: Read) -> None:
    network = keras.applications.MobileNetV2((64, 96, 3), alpha=0.35, weights=None, classes=7)
    found = read(network)
    by_path = {layer.path: layer for layer in found.layers}
    assert set(by_path) == {layer.name for layer in network.layers}
    for layer in network.layers:
        (got,) = outputs(found, layer.name)
        assert fits(got, layer.output.shape), layer.name
        assert sum(weight.size or 0 for weight in by_path[layer.name].weights) == layer.count_params()
        assert by_path[layer.name].kind != "unknown"
    assert parameters(found) == network.count_params()
    depthwise = by_path["block_1_depthwise"]
    assert depthwise.attributes["groups"] == depthwise.attributes["in_channels"] == 48
    assert depthwise.weights[0].layout is not None
    assert depthwise.weights[0].layout.common == "(c m) 1 kh kw"


def test_shared_layer_has_every_calls_own_shape(read: Read) -> None:
    shared = K.Conv2D(4, 3, name="shared")
    a, b = keras.Input((9, 11, 3), name="a"), keras.Input((7, 5, 3), name="b")
    network = keras.Model([a, b], [shared(a), shared(b)])
    found = read(network)
    assert sorted(map(str, outputs(found, "shared"))) == ["(N, 5, 3, 4)", "(N, 7, 9, 4)"]
    assert len([layer for layer in found.layers if layer.path == "shared"]) == 1
    assert parameters(found) == 3 * 3 * 3 * 4 + 4
    assert found.inputs == ("a", "b")


def test_nested_model_is_expanded_at_each_calls_shape(read: Read) -> None:
    inner = keras.Sequential(
        [keras.Input((None, 5)), K.Conv1D(4, 3, name="c"), K.ReLU(name="r")], name="inner"
    )
    a, b = keras.Input((9, 5)), keras.Input((12, 5))
    found = read(keras.Model([a, b], K.Concatenate(axis=1, name="join")([inner(a), inner(b)])))
    assert sorted(map(str, outputs(found, "inner/c"))) == ["(N, 10, 4)", "(N, 7, 4)"]
    assert sorted(map(str, outputs(found, "inner"))) == ["(N, 10, 4)", "(N, 7, 4)"]
    assert outputs(found, "join") == [(N, 17, 4)]
    assert next(layer for layer in found.layers if layer.path == "inner/c").parts == ("inner", "c")


def test_open_axes_are_named_as_the_reader_proves_them_or_by_their_place(read: Read) -> None:
    x = keras.Input((None, None, 3), name="picture")
    found = read(keras.Model(x, K.GlobalAveragePooling2D()(K.Conv2D(4, 3)(K.Rescaling(2.0)(x)))))
    assert found.values["picture"].shape == (N, H, W, 3)
    y = keras.Input((None, 6), name="rows")
    found = read(keras.Model(y, K.Dense(2)(y)))
    assert found.values["rows"].shape == (N, symbol("d1"), 6)
    ids = keras.Input((None,), dtype="int32", name="ids")
    found = read(keras.Model(ids, K.Embedding(9, 4)(ids)))
    assert found.values["ids"].shape == (N, symbol("T"))
    assert found.values["ids"].dtype == "int32"


def test_dict_inputs_and_several_outputs(read: Read) -> None:
    a, b = keras.Input((3,), name="zebra"), keras.Input((4,), name="ape")
    both = K.Concatenate(name="both")([a, b])
    inner = keras.Model({"zebra": a, "ape": b}, {"x": K.Dense(2, name="dx")(both), "y": both}, name="inner")
    p, q = keras.Input((3,), name="p"), keras.Input((4,), name="q")
    made = inner({"ape": q, "zebra": p})
    found = read(keras.Model([p, q], [made["y"], made["x"]]))
    (call,) = [one for one in found.calls if one.layer == "inner/both"]
    assert call.inputs == ("p", "q")
    assert [found.values[name].shape for name in found.outputs] == [(N, 7), (N, 2)]


def test_operations_are_layers_with_kinds(read: Read) -> None:
    x, y = keras.Input((4, 6)), keras.Input((4, 6))
    z = ops.transpose(x + y, (0, 2, 1))
    z = ops.matmul(z, np.ones((4, 5), "float32"))
    z = ops.concatenate([z[:, 1:3], z[:, -1:]], axis=1)
    network = keras.Model([x, y], [ops.reshape(z, (-1, 15)), z[:, 0], ops.mean(z, axis=-1)])
    found = read(network)
    kinds = {layer.type: layer.kind for layer in found.layers}
    assert kinds == {
        "InputLayer": "input", "Add": "elementwise", "Transpose": "permute", "Matmul": "matmul",
        "GetItem": "index", "Concatenate": "concat", "Reshape": "reshape", "Mean": "reduce",
    }  # fmt: skip
    assert [found.values[name].shape for name in found.outputs] == [(N, 15), (N, 5), (N, 3)]
    (product,) = [call for call in found.calls if call.layer.startswith("matmul")]
    assert [found.values[name].shape for name in product.inputs] == [(N, 6, 4), (4, 5)]


def test_attention_reads_query_key_value(read: Read) -> None:
    q, k, v = keras.Input((3, 8), name="q"), keras.Input((5, 8), name="k"), keras.Input((5, 8), name="v")
    layer = K.MultiHeadAttention(2, 4, name="mha")
    found = read(keras.Model([q, k, v], layer(q, v, key=k)))
    (call,) = [one for one in found.calls if one.layer == "mha"]
    assert call.inputs == ("q", "k", "v")


class Block(K.Layer):
    def __init__(self, units: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.first = K.Dense(units, name="first")
        self.second = K.Dense(units + 1, name="second")
        self.calls = 0

    def call(self, x: Any, training: bool = False) -> Any:
        self.calls += 1
        self.last = x
        return self.second(ops.relu(self.first(x)))


class Network(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="network")
        self.block = Block(7, name="block")
        self.drop = K.Dropout(0.5, name="drop")
        self.norm = K.BatchNormalization(name="norm")
        self.scale = self.add_weight(shape=(8,), name="scale")

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.block(inputs["x"], training=training)
        return {"out": self.norm(self.drop(x * self.scale, training=training)), "x": x}


class Stubborn(keras.Model):
    """Its call asks for numbers, which symbols do not have."""

    def __init__(self) -> None:
        super().__init__(name="stubborn")
        self.inner = K.Dense(3, name="inner")

    def call(self, x: Any) -> Any:
        return self.inner(x) if float(ops.sum(x)) >= 0 else x


def state(model: Any) -> Any:
    """Everything about a model and about Keras that reading must leave as it is."""
    from keras.src.backend.common import global_state

    layers = list(model._flatten_layers())
    return (
        [(layer.name, layer.built, layer.trainable, sorted(vars(layer))) for layer in layers],
        [[id(one) for one in vars(layer).values()] for layer in layers],
        [(len(layer._inbound_nodes), len(layer._outbound_nodes), len(layer._layers)) for layer in layers],
        [(one.path, one.trainable, np.asarray(one).tobytes()) for one in model.variables],
        str(model.get_config()) if not isinstance(model, Network | Stubborn) else None,
        dict(global_state.get_global_attribute("object_name_uids") or {}),
        {key: id(value) for key, value in vars(global_state.GLOBAL_STATE_TRACKER).items()},
        (keras.config.floatx(), keras.config.image_data_format(), keras.config.dtype_policy().name),
        random.getstate(),
        str(np.random.get_state()),
    )


def unchanged(model: Any, run: Callable[[], object]) -> None:
    before = state(model)
    run()
    assert state(model) == before


def refused(read: Read, target: Any, inputs: Any = None) -> str:
    with pytest.raises(UsageError) as error:
        read(target, inputs)
    return str(error.value)


def test_subclassed_model_is_followed(read: Read) -> None:
    network = Network()
    network({"x": np.zeros((2, 5, 4), "float32")})
    network.block.calls = 0
    unchanged(network, lambda: read(network))
    assert network.block.calls == 0
    found = read(network)
    assert outputs(found, "block/first") == [(2, 5, 7)]
    assert outputs(found, "block") == outputs(found, "block/second") == [(2, 5, 8)]
    assert outputs(found, "norm") == [(2, 5, 8)]
    assert parameters(found) == network.count_params()
    assert not found.notes
    assert read(network) == found


def test_what_cannot_be_followed_is_said(read: Read) -> None:
    network = Stubborn()
    network(np.ones((2, 4), "float32"))
    unchanged(network, lambda: read(network))
    found = read(network)
    assert [layer.path for layer in found.layers] == ["inner"]
    assert parameters(found) == 4 * 3 + 3
    assert found.calls == ()
    assert ["give them with --input" in note.text for note in found.notes] == [True]
    unchanged(network, lambda: read(network, (2, 4)))
    assert "cannot run on symbolic tensors" in read(network, (2, 4)).notes[0].text


def test_unbuilt_model_needs_an_input(read: Read) -> None:
    network = keras.Sequential(
        [K.Conv1D(4, 3, name="c"), K.LSTM(5, name="l"), K.Dropout(0.1), K.Dense(2, name="d")]
    )
    unchanged(network, lambda: refused(read, network))
    assert "not built" in refused(read, network)
    unchanged(network, lambda: read(network, (2, 9, 3)))
    found = read(network, (2, 9, 3))
    assert outputs(found, "c") == [(2, 7, 4)]
    assert outputs(found, "d") == [(2, 2)]
    assert all(weight.values is None for layer in found.layers for weight in layer.weights)
    network.build((2, 9, 3))
    assert parameters(found) == network.count_params()
    unbuilt = Network()
    unchanged(unbuilt, lambda: refused(read, unbuilt, (2, 9, 3)))
    single = K.Dense(3, name="single")
    unchanged(single, lambda: read(single, (2, 5)))
    assert outputs(read(single, (2, 5)), "single") == [(2, 3)]
    with pytest.raises(ModelCodeError):
        read(K.Conv2D(3, 3), (2, 5))


def test_functional_model_does_not_change(read: Read) -> None:
    inner = keras.Sequential([keras.Input((None, 5)), Block(3, name="b"), K.Dropout(0.5)], name="inner")
    a, b = keras.Input((9, 5)), keras.Input((12, 5))
    network = keras.Model([a, b], K.Concatenate(axis=1)([inner(a), inner(b)]))
    inner.layers[0].trainable = False
    unchanged(network, lambda: read(network))
    found = read(network)
    frozen = [weight.trainable for layer in found.layers for weight in layer.weights]
    assert frozen == [False] * 4
    assert sorted(map(str, outputs(found, "inner/b/second"))) == ["(N, 12, 4)", "(N, 9, 4)"]


def test_tied_weights_are_named_once(read: Read) -> None:
    class Tied(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = K.Embedding(11, 4, name="table")
            self.head = K.Layer(name="head")

        def build(self, shape: Any) -> None:
            self.table.build(shape)
            self.head.matrix = self.table._embeddings
            self.head.built = True

        def call(self, ids: Any) -> Any:
            return ops.matmul(self.table(ids), ops.transpose(self.head.matrix))

    network = Tied()
    network(np.zeros((2, 3), "int32"))
    found = read(network)
    keys = [weight.storage for layer in found.layers for weight in layer.weights]
    assert keys == ["table/embeddings"] * 2
    assert parameters(found) == network.count_params() == 44


def test_subclass_counts_as_its_base_only_if_it_does_the_same(read: Read) -> None:
    class Named(K.Dense):
        pass

    class Other(K.Dense):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs)[:, :1]

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], 1)

    x = keras.Input((5,))
    found = read(keras.Model(x, [Named(3, name="named")(x), Other(3, name="other")(x)]))
    by_path = {layer.path: layer for layer in found.layers}
    assert by_path["named"].kind == "linear"
    assert by_path["other"].kind == "unknown"
    assert by_path["other"].candidates == ("linear",)


def test_values_are_the_numbers(read: Read) -> None:
    layer = K.Dense(3, name="d")
    layer(np.zeros((1, 2)))
    weight = read(layer).layers[0].weights[0]
    assert weight.values is not None
    np.testing.assert_array_equal(weight.values(), layer.get_weights()[0])
    assert (weight.dtype, weight.nbytes) == ("float32", 24)


def test_refuses_what_is_no_layer(read: Read) -> None:
    with pytest.raises(UsageError, match="not a Keras model or layer"):
        read(keras.optimizers.SGD())


def test_names_fit_together(read: Read) -> None:
    network = Network()
    network({"x": np.zeros((2, 5, 4), "float32")})
    found = read(network)
    paths = {layer.path for layer in found.layers}
    assert len(paths) == len(found.layers)

    def known(call: Call) -> bool:
        return call.layer in paths and all(name in found.values for name in (*call.inputs, *call.outputs))

    assert all(known(call) for call in found.calls)
    assert all(isinstance(dim, int | Unknown) for value in found.values.values() for dim in value.shape or ())


MERGES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "multi-head": lambda: (K.MultiHeadAttention(2, 3, value_dim=5), (4, 8), (6, 9)),
    "multi-head, other width": lambda: (K.MultiHeadAttention(2, 3, output_shape=13), (4, 8), (6, 9)),
    "grouped query": lambda: (K.GroupQueryAttention(3, 4, 2), (4, 8), (6, 8)),
    "attention": lambda: (K.Attention(), (4, 8), (6, 8)),
    "additive": lambda: (K.AdditiveAttention(), (4, 8), (6, 8)),
    "add": lambda: (K.Add(), (4, 8), (4, 1)),
    "concatenate": lambda: (K.Concatenate(axis=1), (4, 8), (6, 8)),
}


@pytest.mark.parametrize("case", MERGES)
def test_layers_of_two_inputs(case: str, read: Read) -> None:
    from shapeinspect.rules import output_shapes

    layer, *shapes = MERGES[case]()
    xs = [keras.Input(shape, batch_size=2) for shape in shapes]
    made = layer(*xs) if "Query" in type(layer).__name__ or "Multi" in type(layer).__name__ else layer(xs)
    network = keras.Model(xs, made)
    found = read(network)
    assert outputs(found, layer.name) == [tuple(made.shape)]
    assert parameters(found) == network.count_params()
    record = next(one for one in found.layers if one.path == layer.name)
    call = next(one for one in found.calls if one.layer == layer.name)
    got = output_shapes(
        record.kind, record.attributes, tuple(found.values[name].shape for name in call.inputs)
    )
    assert got[0] == tuple(made.shape)


def test_dot_contracts_one_axis_of_each(read: Read) -> None:
    a, b = keras.Input((4, 8)), keras.Input((8, 5))
    found = read(keras.Model([a, b], K.Dot(axes=(2, 1), name="dot")([a, b])))
    assert outputs(found, "dot") == [(N, 4, 5)]
    (record,) = [layer for layer in found.layers if layer.path == "dot"]
    assert (record.kind, dict(record.attributes)) == ("batch_dot", {"axes": (2, 1)})


def test_states_are_outputs_too(read: Read) -> None:
    x = keras.Input((9, 4), batch_size=2)
    layer = K.LSTM(5, return_sequences=True, return_state=True, name="l")
    found = read(keras.Model(x, layer(x)))
    assert outputs(found, "l") == [(2, 9, 5), (2, 5), (2, 5)]
