"""Weights: where they come from, who shares them, and their numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shapeinspect import inspect
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import from_object, from_path
from shapeinspect_onnx.adapters.adapter import ADAPTER


def roles(layer):
    return {weight.role: weight for weight in layer.weights}


def test_external_data_is_named_and_not_opened(build, tmp_path):
    build.node("MatMul", ["x", build.weight("w", 30, 40)], "y")
    build.node("Add", ["y", build.weight("b", 40)], "z")
    proto, path = build.model({"x": (2, 30)}, ["z"]), tmp_path / "m.onnx"
    expected = build.weights[0].SerializeToString()
    onnx.save_model(proto, path, save_as_external_data=True, location="data.bin", size_threshold=0)
    model = ADAPTER.read(from_path(path))
    (weight,) = model.layers[0].weights
    assert (weight.where, weight.nbytes, weight.dtype) == ("data.bin", 4800, "float32")
    assert np.array_equal(weight.values(), numpy_helper.to_array(TensorProto.FromString(expected)))
    outside = "2 weights are of 4,960 bytes in external data, not opened: data.bin"
    assert [note.text for note in model.notes] == [outside]
    data = (tmp_path / "data.bin").read_bytes()
    (tmp_path / "data.bin").write_bytes(data[:4900])
    short = ADAPTER.read(from_path(path))
    assert [note.text for note in short.notes] == [
        f"{outside}; data.bin is cut off, it has 4,900 of {len(data):,} bytes"
    ]
    (tmp_path / "data.bin").unlink()
    again = ADAPTER.read(from_path(path))
    assert replace(again, notes=model.notes) == model
    assert [note.text for note in again.notes] == [f"{outside}; data.bin is missing"]
    assert model.values["z"].shape == (2, 40)
    with pytest.raises(UnreadableFileError, match=r"data\.bin"):
        again.layers[0].weights[0].values()


@pytest.mark.parametrize("location", ["../data.bin", "/etc/passwd", "a\\b", "", "C:x", "a\0b"])
def test_external_paths_that_lead_outside_are_refused(location, build, read):
    build.node("MatMul", ["x", build.weight("w", 30, 40)], "y")
    tensor = build.weights[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    with pytest.raises(UnreadableFileError, match="outside its own directory"):
        read(build.model({"x": (2, 30)}, ["y"]))


def test_a_link_out_of_the_directory_is_not_followed(build, tmp_path):
    outside, inside = tmp_path / "secret.bin", tmp_path / "model"
    outside.write_bytes(bytes(4800))
    inside.mkdir()
    (inside / "data.bin").symlink_to(outside)
    build.node("MatMul", ["x", build.weight("w", 30, 40)], "y")
    tensor = build.weights[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="data.bin")
    path = inside / "m.onnx"
    path.write_bytes(build.model({"x": (2, 30)}, ["y"]).SerializeToString())
    (weight,) = ADAPTER.read(from_path(path)).layers[0].weights
    with pytest.raises(UnreadableFileError, match="is outside the model's directory"):
        weight.values()


@pytest.mark.parametrize("size", [3, 3000])
def test_numbers_are_read_when_asked_for(size, build, read):
    array = build.random.standard_normal((size, 2)).astype(np.float32)
    typed = helper.make_tensor("t", TensorProto.FLOAT, (2, size), array.T.reshape(-1))
    build.node("MatMul", ["x", build.tensor("w", array)], "y")
    build.weights.append(typed)
    build.node("MatMul", ["y", "t"], "z")
    proto = build.model({"x": (4, size)}, ["z"])
    for model in (read(proto), ADAPTER.read(from_object(proto))):
        first, second = (layer.weights[0] for layer in model.layers)
        assert np.array_equal(first.values(), array)
        assert np.array_equal(second.values(), array.T)


@pytest.mark.parametrize(
    ("dtype", "name", "nbytes"),
    [
        (TensorProto.BFLOAT16, "bfloat16", 12),
        (TensorProto.FLOAT16, "float16", 12),
        (TensorProto.DOUBLE, "float64", 48),
        (TensorProto.FLOAT8E4M3FN, "float8_e4m3fn", 6),
        (TensorProto.INT4, "int4", 3),
    ],
)
def test_element_types(dtype, name, nbytes, build, read):
    tensor = helper.make_tensor("w", dtype, (2, 3), [1, 2, 3, 4, 5, 6])
    build.weights.append(tensor)
    build.node("MatMul", ["x", "w"], "y")
    (weight,) = read(build.model({"x": (5, 2)}, ["y"], opset=21, ir=10)).layers[0].weights
    assert (weight.dtype, weight.nbytes) == (name, nbytes)
    assert weight.values().astype(np.float32).reshape(-1).tolist() == [1, 2, 3, 4, 5, 6]


def test_a_weight_of_two_nodes_is_tied(build, read):
    build.weight("w", 5, 5)
    build.node("MatMul", ["x", "w"], "a")
    build.node("Identity", ["w"], "same")
    build.node("MatMul", ["a", "same"], "b")
    build.node("MatMul", ["b", build.weight("other", 5, 5)], "c")
    model = read(build.model({"x": (3, 5)}, ["c"]))
    first, second, third = (layer.weights[0].storage for layer in model.layers)
    assert first == second is not None
    assert third is None


def test_constant_nodes_hold_weights(build, read):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    build.node("Constant", [], "w", value=numpy_helper.from_array(array, "inner"))
    build.node("MatMul", ["x", "w"], "a")
    build.node("Constant", [], "floats", value_floats=[1.0, 2.0, 3.0])
    build.node("Add", ["a", "floats"], "b")
    build.node("Constant", [], "half", value_float=0.5)
    build.node("Mul", ["b", "half"], "c")
    values = numpy_helper.from_array(np.array([7.0, 9.0], np.float32), "v")
    places = numpy_helper.from_array(np.array([1, 5], np.int64), "i")
    sparse = helper.make_sparse_tensor(values, places, (3, 2))
    build.node("Constant", [], "s", sparse_value=sparse)
    build.node("MatMul", ["c", "s"], "d")
    build.node("Constant", [], "shape", value_ints=[-1])
    build.node("Reshape", ["d", "shape"], "e")
    model = read(build.model({"x": (5, 2)}, ["e"]))
    assert [layer.type for layer in model.layers] == ["MatMul", "Add", "Mul", "MatMul", "Reshape"]
    held = [[(weight.name, weight.shape) for weight in layer.weights] for layer in model.layers]
    assert held == [[("w", (2, 3))], [("floats", (3,))], [], [("s", (3, 2))], []]
    assert model.calls[2].inputs == ("b", "half")
    assert np.array_equal(model.layers[0].weights[0].values(), array)
    assert model.layers[3].weights[0].values().tolist() == [[0, 7], [0, 0], [0, 9]]
    assert model.layers[4].attributes["shape"] == (-1,)
    assert model.values["e"].shape == (10,)


def test_quantized_weights_keep_their_scale(build, read):
    weight = build.tensor("wq", build.random.integers(-9, 9, (5, 3, 2, 4)).astype(np.int8))
    scale = build.tensor("ws", np.full(5, 0.5, np.float32))
    zero = build.tensor("wz", np.zeros(5, np.int8))
    x_scale, x_zero = build.tensor("xs", np.float32(0.1)), build.tensor("xz", np.int8(0))
    build.node("QuantizeLinear", ["x", x_scale, x_zero], "xq")
    build.node("DequantizeLinear", ["xq", x_scale, x_zero], "xd")
    build.node("DequantizeLinear", [weight, scale, zero], "w", axis=0)
    build.node("Conv", ["xd", "w"], "y")
    model = read(build.model({"x": (1, 3, 6, 9)}, ["y"]))
    assert [layer.kind for layer in model.layers] == ["quantize", "dequantize", "conv"]
    found = roles(model.layers[2])
    assert [(role, w.name, w.dtype, w.shape) for role, w in found.items()] == [
        ("W", "wq", "int8", (5, 3, 2, 4)),
        ("W_scale", "ws", "float32", (5,)),
        ("W_zero_point", "wz", "int8", (5,)),
    ]
    assert found["W"].layout.common == "o i kh kw"
    assert model.values["y"].shape == (1, 5, 5, 6)


def test_qlinear_conv_and_packed_matrices(build, read):
    small = {name: build.tensor(name, np.float32(0.1)) for name in ("xs", "ys")}
    zeros = {name: build.tensor(name, np.uint8(0)) for name in ("xz", "yz", "wz")}
    build.tensor("w", np.ones((5, 3, 2, 4), np.uint8))
    build.tensor("ws", np.ones(5, np.float32))
    build.node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], "y")
    packed = build.tensor("packed", np.zeros((7, 2, 8), np.uint8))
    scales = build.tensor("scales", np.ones(14, np.float32))
    build.node(
        "MatMulNBits", ["a", packed, scales], "z", domain="com.microsoft", K=32, N=7, bits=4, block_size=16
    )
    assert len(small) + len(zeros) == 5
    proto = build.model(
        {"x": (1, 3, 6, 9), "a": (2, 32)},
        ["y"],
        dtypes={"x": TensorProto.UINT8},
        domains={"com.microsoft": 1},
    )
    conv, linear = read(proto).layers
    assert (conv.kind, conv.attributes["kernel_size"], conv.attributes["out_channels"]) == ("conv", (2, 4), 5)
    assert list(roles(conv)) == ["w", "w_scale", "w_zero_point"]
    assert (linear.kind, linear.type) == ("linear", "com.microsoft.MatMulNBits")
    assert (linear.attributes["in_features"], linear.attributes["out_features"]) == (32, 7)
    packed = roles(linear)["B"]
    assert (packed.shape, packed.stored_shape, packed.size) == ((7, 32), (7, 2, 8), 7 * 32)


def test_what_no_node_uses_is_noted(build, read):
    build.weight("lonely", 3)
    build.node("Relu", ["x"], "y")
    model = read(build.model({"x": (2,)}, ["y"]))
    assert [note.text for note in model.notes] == ["1 stored tensor is used by no node: lonely"]


def test_a_table_of_positions_is_a_weight(build, read):
    """Its rows are chosen by positions that the graph counts from a length."""
    build.tensor("positions", np.arange(20)[None])
    for name, number in (("zero", 0), ("one", 1)):
        build.tensor(name, np.array([number], np.int64))
    build.weight("table", 20, 6)
    build.node("Shape", ["ids"], "length", start=1, end=2)
    build.node("Slice", ["positions", "zero", "length", "one"], "used")
    build.node("Gather", ["table", "used"], "y", name="embed")
    proto = build.model({"ids": ("n", "t")}, ["y"], dtypes={"ids": TensorProto.INT64})
    layer = next(layer for layer in read(proto).layers if layer.path == "embed")
    assert (layer.kind, [weight.name for weight in layer.weights]) == ("embedding", ["table"])
    assert len(inspect(proto).to_dict()["outputs"][0]["shape"]) == 3


@pytest.mark.parametrize(
    ("name", "params"),
    # A class token that is not trained yet is zero, too, and keeps its own name.
    [("/lstm/Constant_output_0", 20 * 6 + 20 * 5 + 40), ("start", 20 * 6 + 20 * 5 + 40 + 5)],
)
def test_the_zeros_that_a_recurrent_layer_begins_with_are_no_parameters(
    build, name: str, params: int
) -> None:
    for weight, shape in (("w", (1, 20, 6)), ("r", (1, 20, 5)), ("b", (1, 40))):
        build.tensor(weight, np.full(shape, 0.5, np.float32))
    build.tensor(name, np.zeros((1, 1, 5), np.float32))
    build.tensor("size", np.array([1, 2, 5], np.int64))
    build.tensor("zeros", np.zeros((1, 2, 5), np.float32))
    build.node("Expand", [name, "size"], "begin", name="expand")
    build.node("LSTM", ["x", "w", "r", "b", "", "begin", "zeros"], "y", name="lstm", hidden_size=5)
    totals = inspect(build.model({"x": (7, 2, 6)}, ["y"])).totals
    assert (totals.params, totals.buffers) == (params, 0)
