"""Branches, loops and local functions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shapeinspect.errors import UnreadableFileError

FLOAT = TensorProto.FLOAT


def branch(name, out, width, rng):
    weight = numpy_helper.from_array(rng.standard_normal((3, width)).astype(np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"),
        helper.make_node("Relu", ["h"], [out]),
    ]
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(out, FLOAT, None)], [weight])


def test_both_branches_of_an_if_are_shown_with_their_weights(build, read):
    build.node(
        "If", ["cond"], "y", name="choice",
        then_branch=branch("t", "t_out", 5, build.random), else_branch=branch("e", "e_out", 7, build.random),
    )  # fmt: skip
    model = read(build.model({"cond": (), "x": (2, 3)}, ["y"], dtypes={"cond": TensorProto.BOOL}))
    assert [(layer.kind, layer.parts) for layer in model.layers] == [
        ("module", ("choice",)),
        ("linear", ("choice", "then_branch", "fc")),
        ("activation", ("choice", "then_branch", "Relu_1")),
        ("linear", ("choice", "else_branch", "fc")),
        ("activation", ("choice", "else_branch", "Relu_1")),
    ]
    assert [layer.weights[0].shape for layer in model.layers if layer.weights] == [(3, 5), (3, 7)]
    assert all(weight.storage is None for layer in model.layers for weight in layer.weights)
    calls = {call.layer: call for call in model.calls}
    for name, width in (("then", 5), ("else", 7)):
        call = calls[f"choice/{name}_branch/fc"]
        assert call.inputs == ("x",)
        assert model.values[call.outputs[0]].shape == (2, width)
    assert calls["choice"].outputs == ("y",)
    assert len(model.values["y"].shape) == 2


def test_a_loop_uses_the_weights_outside(build, read):
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["next"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("state", FLOAT, (2, 3)),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("next", FLOAT, (2, 3)),
        ],
    )
    build.weight("w", 3, 3)
    build.tensor("times", np.int64(4))
    build.node("Loop", ["times", "", "x"], "y", name="loop", body=body)
    model = read(build.model({"x": (2, 3)}, ["y"]))
    assert [layer.path for layer in model.layers] == ["loop", "loop/body/MatMul_0", "loop/body/Identity_1"]
    assert model.layers[1].weights[0].name == "w"
    assert model.values["loop/body/next"].shape == (2, 3)
    assert model.values["y"].shape is None  # ONNX lets the lengths of a state change from round to round


def functions():
    """An outer function that calls an inner one twice, passing a weight and an attribute on."""
    relu = helper.make_node("LeakyRelu", ["h"], ["out"])
    relu.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    inner = helper.make_function(
        "my", "Block", ["a", "w"], ["out"],
        [helper.make_node("MatMul", ["a", "w"], ["h"], name="fc"), relu],
        [helper.make_opsetid("", 17)], attributes=["slope"],
    )  # fmt: skip
    outer = helper.make_function(
        "my", "Stack", ["a", "w"], ["out"],
        [
            helper.make_node("Block", ["a", "w"], ["m"], domain="my", name="first", slope=0.25),
            helper.make_node("Block", ["m", "w"], ["out"], domain="my", name="second", slope=0.5),
        ],
        [helper.make_opsetid("my", 1), helper.make_opsetid("", 17)],
    )  # fmt: skip
    return [outer, inner]


def test_local_functions_open_into_their_bodies(build, read):
    build.node("Stack", ["x", build.weight("w", 3, 3)], "y", domain="my", name="net")
    model = read(build.model({"x": (2, 3)}, ["y"], functions=functions(), domains={"my": 1}))
    assert [(layer.kind, layer.type, layer.parts) for layer in model.layers] == [
        ("module", "Stack", ("net",)),
        ("module", "Block", ("net", "first")),
        ("linear", "MatMul", ("net", "first", "fc")),
        ("activation", "LeakyRelu", ("net", "first", "LeakyRelu_1")),
        ("module", "Block", ("net", "second")),
        ("linear", "MatMul", ("net", "second", "fc")),
        ("activation", "LeakyRelu", ("net", "second", "LeakyRelu_1")),
    ]
    first, second = model.layers[2].weights[0], model.layers[5].weights[0]
    assert first.storage == second.storage is not None
    calls = {call.layer: call for call in model.calls}
    assert (calls["net"].inputs, calls["net"].outputs) == (("x", ""), ("y",))
    assert calls["net/second/LeakyRelu_1"].outputs == ("y",)
    assert all(model.values[name].shape == (2, 3) for call in model.calls for name in call.outputs)


def test_functions_without_a_body_and_without_end(build, read):
    empty = onnx.FunctionProto(name="Empty", domain="my", input=["a"], output=["b"])
    build.node("Empty", ["x"], "y", domain="my", name="hole")
    model = read(build.model({"x": (2, 3)}, ["y"], functions=[empty], domains={"my": 1}))
    assert any(note.about == "hole" and "no body" in note.text for note in model.notes)


def test_functions_that_call_themselves_are_refused(build, read):
    nodes = [
        helper.make_node("Self", ["a"], ["m"], domain="my"),
        helper.make_node("Self", ["m"], ["b"], domain="my"),
    ]
    endless = helper.make_function("my", "Self", ["a"], ["b"], nodes, [helper.make_opsetid("my", 1)])
    build.node("Self", ["x"], "y", domain="my")
    with pytest.raises(UnreadableFileError, match="calls itself"):
        read(build.model({"x": (2, 3)}, ["y"], functions=[endless], domains={"my": 1}))
