"""Layers, settings, paths and shapes of small models, against onnx's inference and by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from shapeinspect.dims import symbol
from shapeinspect.errors import UsageError
from shapeinspect_onnx.vocabulary import ops


def layer(model, path):
    return next(layer for layer in model.layers if layer.path == path)


def by_type(model, kind):
    return next(layer for layer in model.layers if layer.type == kind)


def weights(layer):
    return {weight.role: weight for weight in layer.weights}


def out(model, name):
    return model.values[name].shape


def test_every_operator_of_onnx_is_listed():
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert names - set(ops.STANDARD) == set()
    assert set(ops.STANDARD) - names <= {"Upsample", "Scatter"}


def test_a_slot_named_in_the_table_exists():
    inputs = {
        schema.name: schema
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == "" and not schema.deprecated
    }
    longest = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            longest[schema.name] = max(longest.get(schema.name, 0), len(schema.inputs))
    assert inputs
    for name, op in ops.STANDARD.items():
        assert all(slot < longest[name] for slot in op.params | op.fixed), name
    for name, (roles, op) in ops.MICROSOFT.items():
        assert all(slot < len(roles.split()) for slot in op.params | op.fixed), name


def test_initializers_listed_as_inputs_are_weights(build, read):
    build.node("Conv", ["x", build.weight("w", 5, 3, 2, 4), build.weight("b", 5)], "y")
    model = read(build.model({"x": (1, 3, 11, 13)}, ["y"], opset=7, ir=3))
    assert model.inputs == ("x",)
    assert model.outputs == ("y",)
    assert out(model, "y") == (1, 5, 10, 10)
    assert [weight.name for weight in model.layers[0].weights] == ["w", "b"]
    assert model.metadata["ir_version"] == "3"


def test_convolutions(build, read):
    build.node(
        "Conv", ["x", build.weight("w1", 8, 2, 3, 5)], "a",
        group=3 - 1, strides=[2, 1], pads=[1, 2, 0, 3], dilations=[1, 2],
    )  # fmt: skip
    build.node("Conv", ["a", build.weight("w2", 8, 1, 3, 3)], "b", group=8, auto_pad="SAME_LOWER")
    build.node("ConvTranspose", ["b", build.weight("w3", 8, 3, 3, 2)], "c", group=2, strides=[3, 2],
               output_padding=[1, 0])  # fmt: skip
    proto = build.model({"x": (1, 4, 17, 19)}, ["a", "b", "c"])
    model = read(proto)
    first, second, third = model.layers
    assert first.attributes == {
        "in_channels": 4, "out_channels": 8, "kernel_size": (3, 5), "stride": (2, 1), "dilation": (1, 2),
        "groups": 2, "padding": ((1, 0), (2, 3)), "data_format": "channels_first",
    }  # fmt: skip
    # (17 + 1 + 0 - 3) // 2 + 1 = 8 and (19 + 2 + 3 - 9) // 1 + 1 = 16
    assert out(model, "a") == (1, 8, 8, 16)
    assert second.attributes["padding"] == "same_lower"
    assert (second.attributes["in_channels"], second.attributes["groups"]) == (8, 8)
    assert out(model, "b") == (1, 8, 8, 16)
    assert third.kind == "conv_transpose"
    assert (third.attributes["in_channels"], third.attributes["out_channels"]) == (8, 6)
    assert third.attributes["output_padding"] == (1, 0)
    # 3·(8 - 1) + 3 + 1 = 25 and 2·(16 - 1) + 2 = 32
    assert out(model, "c") == (1, 6, 25, 32)
    assert (third.weights[0].layout.native, third.weights[0].layout.common) == (
        "(g i) o kh kw",
        "(g o) i kh kw",
    )
    assert third.weights[0].layout.sizes["g"] == 2


@pytest.mark.parametrize("rank", [1, 3])
def test_convolutions_of_other_ranks(rank, build, read):
    kernel = (2, 3, 4)[:rank]
    build.node("Conv", ["x", build.weight("w", 7, 5, *kernel)], "y")
    model = read(build.model({"x": (1, 5, *(11, 12, 13)[:rank])}, ["y"]))
    assert out(model, "y") == (1, 7, *(10, 10, 10)[:rank])
    assert model.layers[0].weights[0].layout.native == ("o i kl", "", "o i kd kh kw")[rank - 1]


def test_linear_layers_and_products(build, read):
    build.node("Gemm", ["x", build.weight("w1", 7, 5), build.weight("b", 7)], "a", transB=1)
    build.node("Gemm", ["a", build.weight("w2", 7, 11)], "b2")
    build.node("MatMul", ["b2", build.weight("w3", 11, 13)], "c")
    build.node("Transpose", [build.weight("w4", 17, 13)], "w4t", perm=[1, 0])
    build.node("MatMul", ["c", "w4t"], "d")
    build.node("MatMul", ["d", "y"], "e")
    build.node("Gemm", ["e", "z"], "f", transA=1)
    model = read(build.model({"x": (3, 5), "y": (17, 19), "z": (3, 23)}, ["f"]))
    facts = [(layer.kind, dict(layer.attributes)) for layer in model.layers]
    assert facts == [
        ("linear", {"in_features": 5, "out_features": 7}),
        ("linear", {"in_features": 7, "out_features": 11}),
        ("linear", {"in_features": 11, "out_features": 13}),
        ("linear", {"in_features": 13, "out_features": 17}),
        ("matmul", {}),
        ("gemm", {"trans_a": True, "trans_b": False}),
    ]
    natives = [layer.weights[0].layout.native for layer in model.layers[:4]]
    assert natives == ["o i", "i o", "i o", "o i"]
    assert model.layers[0].weights[1].role == "C"
    assert out(model, "f") == (19, 23)


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(op, gates, build, read):
    hidden, size = 5, 3
    parts = [
        build.weight("w", 2, gates * hidden, size),
        build.weight("r", 2, gates * hidden, hidden),
        build.weight("b", 2, 2 * gates * hidden),
    ]
    extra = {"linear_before_reset": 1} if op == "GRU" else {}
    build.node(op, ["x", *parts], "y", "h", hidden_size=hidden, direction="bidirectional", **extra)
    model = read(build.model({"x": (7, 2, size)}, ["y", "h"]))
    found = model.layers[0]
    assert found.kind == op.lower()
    assert found.attributes["bidirectional"] is True
    assert (found.attributes["input_size"], found.attributes["hidden_size"]) == (3, 5)
    assert found.attributes.get("reset_after") == (True if op == "GRU" else None)
    assert (out(model, "y"), out(model, "h")) == ((7, 2, 2, hidden), (2, 2, hidden))
    layouts = [weight.layout for weight in found.weights]
    assert [layout.common for layout in layouts] == (
        ["dir o i", "dir o h", "dir two o"] if op == "RNN"
        else ["dir gate o i", "dir gate o h", "dir two gate o"]
    )  # fmt: skip
    orders = {"LSTM": ("i o f g", "i f g o"), "GRU": ("z r n", "r z n"), "RNN": None}[op]
    assert layouts[0].orders == ((("gate", *orders),) if orders else ())


@pytest.mark.parametrize("opset", [1, 7, 9, 15])
def test_batch_norm_of_every_opset(opset, build, read):
    names = [build.weight(name, 5) for name in ("s", "b", "m", "v")]
    extra = {"consumed_inputs": [0, 0, 0, 1, 1], "is_test": 1} if opset == 1 else {}
    build.node("BatchNormalization", ["x", *names], "y", epsilon=0.25, momentum=0.5, **extra)
    model = read(build.model({"x": (2, 5, 3)}, ["y"], opset=opset, ir=3))
    (found,) = model.layers
    assert found.attributes == {"num_features": 5, "eps": 0.25, "momentum": 0.5, "axis": 1}
    assert [weight.layout.common for weight in found.weights] == ["C"] * 4


def test_old_upsample_dropout_and_softmax(build, read):
    build.node("Dropout", ["x"], "a", ratio=0.25, is_test=1, consumed_inputs=[0])
    build.node("Softmax", ["a"], "y")
    model = read(build.model({"x": (2, 3, 5)}, ["y"], opset=1, ir=3))
    assert by_type(model, "Dropout").attributes == {"ratio": 0.25}
    assert by_type(model, "Softmax").attributes["axis"] == 1


def test_upsample_of_opsets_7_and_9_and_resize(build, read):
    build.node("Upsample", ["x"], "y", scales=[1.0, 1.0, 2.0, 3.0])
    model = read(build.model({"x": (1, 2, 5, 7)}, ["y"], opset=7, ir=3))
    assert model.layers[0].attributes["scale_factor"] == (2.0, 3.0)
    assert out(model, "y") == (1, 2, 10, 21)


@pytest.mark.parametrize("op", ["Upsample", "Resize"])
def test_scales_as_an_input(op, build, read):
    scales = build.tensor("scales", np.array([1, 1, 2, 3], np.float32))
    inputs = ["x", scales] if op == "Upsample" else ["x", "", scales]
    build.node(op, inputs, "y", mode="nearest")
    model = read(build.model({"x": (1, 2, 5, 7)}, ["y"], opset=9 if op == "Upsample" else 13, ir=7))
    assert model.layers[0].kind == "resize"
    assert model.layers[0].weights == ()
    assert model.layers[0].attributes["scale_factor"] == (2.0, 3.0)
    assert model.calls[0].inputs == ("x",)
    assert out(model, "y") == (1, 2, 10, 21)


def test_constants_for_shapes_are_settings_and_no_weights(build, read):
    shape = build.tensor("shape", np.array([0, -1], np.int64))
    starts, ends = build.tensor("s", np.array([1], np.int64)), build.tensor("e", np.array([4], np.int64))
    axes = build.tensor("axes", np.array([1], np.int64))
    build.node("Reshape", ["x", shape], "a")
    build.node("Slice", ["a", starts, ends, axes], "b")
    build.node("Pad", ["b", build.tensor("pads", np.array([0, 2, 0, 3], np.int64))], "c")
    build.node("Unsqueeze", ["c", axes], "d")
    model = read(build.model({"x": (2, 3, 5)}, ["d"]))
    assert [dict(layer.attributes) for layer in model.layers] == [
        {"shape": (0, -1), "zero_copies": True},
        {"starts": (1,), "ends": (4,), "axes": (1,), "steps": (1,)},
        {"padding": ((0, 0), (2, 3)), "mode": "constant"},
        {"axes": (1,)},
    ]
    assert all(not layer.weights for layer in model.layers)
    assert [call.inputs for call in model.calls] == [("x",), ("a",), ("b",), ("c",)]
    assert out(model, "d") == (2, 1, 8)


def test_an_embedding_is_told_from_other_gathers(build, read):
    build.node("Gather", [build.weight("table", 11, 7), "ids"], "a")
    build.node("Gather", ["a", build.tensor("one", np.int64(2))], "b", axis=1)
    build.node("Gather", ["b", "ids2"], "c", axis=1)
    types = {"ids": TensorProto.INT64, "ids2": TensorProto.INT64}
    model = read(build.model({"ids": (2, 3), "ids2": (5,)}, ["c"], dtypes=types))
    assert [layer.kind for layer in model.layers] == ["embedding", "index", "gather"]
    assert model.layers[0].attributes == {"num_embeddings": 11, "embedding_dim": 7}
    assert model.layers[0].weights[0].layout.common == "V E"
    assert model.layers[1].attributes == {"axis": 1, "index": 2}
    assert out(model, "c") == (2, 5)


def test_symbolic_lengths(build, read):
    build.node("Concat", ["x", "x"], "y", axis=1)
    build.node("Relu", ["z"], "r")
    dims = {"x": ("batch", "2*H + 1", None), "z": ("a b", 3, 5)}
    model = read(build.model(dims, ["y", "r"]))
    assert out(model, "x") == (symbol("batch"), 2 * symbol("H") + 1, symbol("x_dim_2"))
    assert out(model, "z") == (symbol("a b"), 3, 5)
    assert out(model, "r") == out(model, "z")
    assert out(model, "y")[0] == symbol("batch")
    assert out(model, "y")[2] == symbol("x_dim_2")


def test_odd_exporters_lengths_become_symbols(build, read):
    build.node("Relu", ["x"], "y")
    model = read(build.model({"x": (0, 3, -1)}, ["y"]))
    assert out(model, "x") == out(model, "y") == (symbol("x_dim_0"), 3, symbol("x_dim_2"))
    assert any("0 or below" in note.text for note in model.notes)


def test_nodes_without_names_and_with_the_same_name(build, read):
    build.node("Relu", ["x"], "a")
    build.node("Relu", ["a"], "b", name="same")
    build.node("Relu", ["b"], "c", name="same")
    build.node("Relu", ["c"], "d", name="Relu_0")
    model = read(build.model({"x": (2, 3)}, ["d"]))
    paths = [layer.path for layer in model.layers]
    assert paths == ["Relu_0_", "same_1", "same_2", "Relu_0"]
    assert [layer.origin for layer in model.layers] == [None, "same", "same", None]


def test_the_names_of_exporters_become_a_tree(build, read):
    build.node("Conv", ["x", build.weight("w", 3, 3, 1, 1)], "a", name="/layer1/layer1.0/conv1/Conv")
    build.node("Relu", ["a"], "b", name="/layer1/layer1.0/relu/Relu")
    build.node("Relu", ["b"], "c", name="/layer1/layer1.0/relu/Relu_1")
    build.node("Relu", ["c"], "d", name="node_relu_3")
    entry = build.nodes[-1].metadata_props.add()
    entry.key, entry.value = (
        "pkg.torch.onnx.name_scopes",
        "['', 'layer2', 'layer2.0', 'layer2.0.act', 'relu']",
    )
    model = read(build.model({"x": (1, 3, 5, 7)}, ["d"]))
    assert [layer.parts for layer in model.layers] == [
        ("layer1", "0", "conv1"),
        ("layer1", "0", "relu", "Relu"),
        ("layer1", "0", "relu", "Relu_1"),
        ("layer2", "0", "act"),
    ]
    assert model.layers[0].path == "/layer1/layer1.0/conv1/Conv"


def test_scaffolding_and_fused_names_make_no_tree(build, read):
    build.node("Relu", ["x"], "a", name="net/act/Relu;net/norm/Mul;net/conv")
    build.node("Relu", ["a"], "b", name="node_relu")
    entry = build.nodes[-1].metadata_props.add()
    entry.key = "pkg.torch.onnx.name_scopes"
    entry.value = "['', '_empty_nn_module_stack_from_metadata_hook', 'node_relu']"
    model = read(build.model({"x": (2, 3)}, ["b"]))
    assert [layer.parts for layer in model.layers] == [
        ("net/act/Relu;net/norm/Mul;net/conv",),
        ("node_relu",),
    ]


def test_asked_for_inputs_flow_through_the_model(build, read):
    build.node("Conv", ["x", build.weight("w", 5, 3, 3, 3)], "a")
    build.node("Add", ["a", "y"], "b")
    proto = build.model({"x": (1, 3, 11, 13), "y": (1, 5, 9, 11)}, ["b"])
    proto = onnx.shape_inference.infer_shapes(proto)
    assert out(read(proto), "a") == (1, 5, 9, 11)
    assert out(read(proto, {"x": (2, 3, 21, 23), "y": (1, 1, 1, 1)}), "b") == (2, 5, 19, 21)
    assert out(read(proto, ["batch,3,7,8", "1,1,1,1"]), "a") == (symbol("batch"), 5, 5, 6)
    with pytest.raises(UsageError, match='no input "z"') as caught:
        read(proto, {"z": (1,)})
    assert caught.value.expected == 'one of "x", "y"'
    with pytest.raises(UsageError, match="more --input"):
        read(proto, [(1, 3, 5, 7)] * 3)
    with pytest.raises(UsageError, match="fixed dtype"):
        read(proto, "x=1,3,11,13:float64")
    with pytest.raises(UsageError, match='input "y" has 4 axes'):
        read(proto, {"y": (1,)})


def test_an_operator_of_a_custom_domain_stays_unknown(build, read):
    build.node("Strange", ["x", build.weight("w", 2, 3)], "y", domain="my.domain")
    build.node("EyeLike", ["y"], "z", dtype=1)  # crashes onnx's inference behind an unknown type
    build.node("Relu", ["x"], "r")
    model = read(build.model({"x": (4, 5)}, ["y", "r"], domains={"my.domain": 1}))
    found = model.layers[0]
    assert (found.kind, found.type) == ("unknown", "my.domain.Strange")
    assert found.weights[0].shape == (2, 3)
    assert out(model, "y") is None
    assert out(model, "r") == (4, 5)
    assert any("my.domain" in note.text for note in model.notes)


def test_a_domain_without_an_opset_does_not_stop_inference(build, read):
    build.node("Strange", ["x"], "y", domain="my.domain")
    build.node("Relu", ["x"], "r")
    assert out(read(build.model({"x": (4, 5)}, ["y", "r"])), "r") == (4, 5)


def test_a_node_without_its_input_is_noted_and_not_guessed(build, read):
    build.node("Flatten", [], "y")
    model = read(build.model({"x": (2, 3, 5)}, ["y"]))
    assert out(model, "y") is None
    assert any("gave up" in note.text for note in model.notes)


def test_pools_norms_and_the_rest(build, read):
    build.node("MaxPool", ["x"], "a", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1, pads=[1, 0, 1, 0])
    build.node("LayerNormalization", ["a", build.weight("s", 7, 5), build.weight("b", 7, 5)], "n", axis=2)
    build.node("PRelu", ["n", build.weight("slope", 6, 1, 1)], "p")
    build.node("GlobalAveragePool", ["p"], "g")
    build.node("Flatten", ["g"], "f")
    proto = build.model({"x": (1, 6, 12, 10)}, ["f"])
    model = read(proto)
    pool, norm, prelu, glob, flat = model.layers
    # ceil((12 + 2 - 3) / 2) + 1 = 7 and (10 - 2) / 2 + 1 = 5
    assert out(model, "a") == (1, 6, 7, 5)
    assert (pool.kind, pool.attributes["ceil_mode"]) == ("max_pool", True)
    assert norm.attributes["normalized_shape"] == (7, 5)
    assert prelu.attributes["num_parameters"] == 6
    assert prelu.weights[0].layout.native == "C 1 1"
    assert glob.kind == "global_avg_pool"
    assert (flat.attributes["axis"], out(model, "f")) == (1, (1, 6))


def test_split_reduce_and_topk(build, read):
    build.node("Split", ["x"], "a", "b", axis=1)
    build.node("ReduceMean", ["a"], "r", axes=[-1], keepdims=0)
    build.node("TopK", ["b", build.tensor("k", np.array([2], np.int64))], "t", "i", axis=1)
    model = read(build.model({"x": (3, 10)}, ["r", "t"], opset=13))
    assert model.layers[0].attributes == {"axis": 1, "sizes": (5, 5)}
    assert model.layers[1].attributes == {"op": "mean", "keepdims": False, "axes": (-1,)}
    assert model.layers[2].attributes == {"axis": 1, "k": 2}
    assert (out(model, "r"), out(model, "t"), out(model, "b")) == ((3,), (3, 2), (3, 5))


def test_metadata_is_plain_text(build, read):
    build.node("Relu", ["x"], "y")
    proto = build.model({"x": (2,)}, ["y"], opset=15)
    helper.set_model_props(proto, {"license": "MIT"})
    found = read(proto).metadata
    assert (found["producer"], found["opset"], found["license"]) == ("tests", "ai.onnx 15", "MIT")
