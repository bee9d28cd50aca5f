"""Nodes that onnxruntime has joined: the node of the file is named, with the shapes that it was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shapeinspect.api.debugging import explain_error
from shapeinspect_onnx.debug.baked import of_graph
from shapeinspect_onnx.debug.feeding import Fed
from shapeinspect_onnx.debug.real_shapes import refused

HEIGHT = 9


def lines() -> onnx.ModelProto:
    """Drop the axis of the height where it is 1, as an export does whose height was 1 then."""
    branches = [
        helper.make_graph(
            [helper.make_node(op, ["r", *more], [f"in_{op}"], name=f"in_{op}")],
            op,
            [],
            [helper.make_tensor_value_info(f"in_{op}", TensorProto.FLOAT, None)],
        )
        for op, more in (("Squeeze", ["two"]), ("Identity", []))
    ]
    nodes = [
        helper.make_node("Conv", ["pictures", "kernel"], ["r"], name="read"),
        helper.make_node("Shape", ["r"], ["sizes"], name="sizes"),
        helper.make_node("Gather", ["sizes", "two"], ["height"], name="height", axis=0),
        helper.make_node("Equal", ["height", "one"], ["flat"], name="flat"),
        helper.make_node(
            "If", ["flat"], ["steps"], name="drop", then_branch=branches[0], else_branch=branches[1]
        ),
        helper.make_node("Transpose", ["steps"], ["turned"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["turned", "w"], ["y"], name="head"),
    ]
    stored = {
        "kernel": np.ones((6, 1, HEIGHT, 3), "f"), "two": np.array([2]), "one": np.array([1]),
        "w": np.ones((6, 4), "f"),
    }  # fmt: skip
    x = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 1, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    rows = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "net", [x], [y], rows)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_the_node_of_the_file_is_named_with_its_real_shapes(tmp_path: Path) -> None:
    onnx.save(lines(), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    feed = {"pictures": np.zeros((2, 1, 12, 20), "f")}
    assert session.run(None, {"pictures": np.zeros((2, 1, HEIGHT, 20), "f")})[0].shape == (2, 18, 4)
    with pytest.raises(Exception, match="ONNXRuntimeError") as caught:
        session.run(None, feed)
    found = explain_error(caught.value)
    assert found is not None
    assert found.layer.path == "turn"
    assert found.failure.fact.got == ("steps of (2, 6, 4, 18)",)  # the convolution keeps 12 - 9 + 1 rows
    assert found.cause == "baked-code"
    assert f"(h) open, and it runs with h = {HEIGHT};" in found.because[0]


def test_sizes_that_only_joined_nodes_take_are_none_that_the_graph_takes() -> None:
    """With 14 rows 14 - 9 + 1 = 6 are left, as many as the matrix reads: a joined product takes them."""
    session = onnxruntime.InferenceSession(lines().SerializeToString(), providers=["CPUExecutionProvider"])
    fed = Fed(session, {"pictures": np.zeros((2, 1, 12, 20), "f")}, None, "", None)
    assert (12, HEIGHT) in of_graph(fed, [14]).sizes
    assert all("14" not in told.partition(";")[0] for told in of_graph(fed, [14]).told)


def test_what_cannot_be_opened_again_is_not_known(tmp_path: Path) -> None:
    onnx.save(lines(), tmp_path / "net.onnx", save_as_external_data=True, location="w", size_threshold=90)
    apart = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    assert refused(apart, {"pictures": np.zeros((2, 1, 12, 20), "f")}) is None
    assert refused(lines(), {"pictures": np.zeros((2, 1, HEIGHT, 20), "f")}) is None  # nothing is refused
