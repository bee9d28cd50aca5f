"""Settings of a graph's nodes that are proposed: onnxruntime itself takes them, on a copy of the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shapeinspect.api.debugging import explain_error
from shapeinspect.frozen import Frozen
from shapeinspect.mismatch.diagnosis import Diagnosis, Tried
from shapeinspect.plugin_api.changes import OnLayer
from shapeinspect.plugin_api.claims import Level
from shapeinspect.sources.source import Source
from shapeinspect_onnx.debug import edited_graph
from shapeinspect_onnx.graph.read import read

Build = Callable[..., onnx.ModelProto]


def made(
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    stored: dict[str, np.ndarray] | None = None,
    makes: list[int | str] | None = None,
) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, makes)
    rows = [numpy_helper.from_array(array, name) for name, array in (stored or {}).items()]
    graph = helper.make_graph(nodes, "net", [x], [y], rows)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def turned(order: tuple[int, ...]) -> onnx.ModelProto:
    nodes = [helper.make_node("Transpose", ["x"], ["y"], name="to_rows", perm=order)]
    return made(nodes, ["n", 5, 11, 7])


def folded(lengths: list[int]) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="act"),
        helper.make_node("Reshape", ["r", "to"], ["y"], name="fold"),
    ]
    return made(nodes, ["n", 6, 5], {"to": np.array(lengths)})


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def diagnosed(run: Callable[[], object]) -> Diagnosis:
    with pytest.raises(Exception, match=r"ONNXRuntimeError|InferenceError") as caught:
        run()
    found = explain_error(caught.value)
    assert found is not None
    return found


def first(found: Diagnosis) -> Tried:
    return found.fixes[0]


def test_an_order_of_other_axes_is_tried_on_a_session_of_its_own() -> None:
    found = diagnosed(lambda: opened(turned((0, 2, 3, 4, 1))))
    assert (found.layer.path, found.cause) == ("to_rows", "rank")
    assert found.problem.expected == "5 axes: their order is (0, 2, 3, 4, 1)"
    assert first(found).text == 'perm=(0, 2, 3, 1) in "to_rows"'
    assert first(found).claim.text == "onnxruntime.InferenceSession runs to its end with it"
    session = opened(turned((0, 2, 3, 1)))  # as it says
    assert session.run(None, {"x": np.ones((3, 5, 11, 7), "f")})[0].shape == (3, 11, 7, 5)


def test_a_baked_batch_is_opened_in_a_copy_that_is_run_on_what_was_fed() -> None:
    feed = {"x": np.arange(90, dtype="f").reshape(3, 6, 5)}
    session = opened(folded([1, 30]))
    found = diagnosed(lambda: session.run(None, feed))
    assert (found.layer.path, found.cause) == ("fold", "baked-code")
    assert first(found).text == 'shape=(-1, 30) in "fold"'
    assert first(found).claim.text == "session.run runs to its end with it"
    assert opened(folded([-1, 30])).run(None, feed)[0].shape == (3, 30)


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_a_matrix_that_is_stored_transposed_is_read_the_other_way_round(op: str) -> None:
    nodes = [helper.make_node(op, ["x", "w"], ["y"], name="head")]
    model = made(nodes, ["n", 9], {"w": np.ones((13, 9), "f")}, ["n", 13])
    found = diagnosed(lambda: onnx.checker.check_model(model, full_check=True))
    assert found.layer.path == "head"
    claims = {one.text: one.claim.text for one in found.fixes}
    fix = 'the weight of "head" transposed (transB of a Gemm)'
    assert claims[fix] == "onnx.checker.check_model runs to its end with it"


def test_what_the_runtime_refuses_is_no_fix_and_what_it_does_not_know_is_unknown(tmp_path: Path) -> None:
    model = folded([1, 30])
    layers = read(Source("model", target=model))
    feed = {"x": np.ones((3, 6, 5), "f")}
    before = model.SerializeToString()

    def taken(**settings: object) -> bool | None:
        return edited_graph.takes(model, layers, feed, (OnLayer("fold", Frozen(settings)),))

    assert taken(shape=(3, 30)) is True
    assert taken(shape=(3, 31)) is False
    assert taken(no_such_setting=1) is None
    assert edited_graph.takes(model, layers, feed, ()) is None
    assert model.SerializeToString() == before
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    apart = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    assert edited_graph.takes(apart, layers, feed, (OnLayer("fold", Frozen(shape=(3, 30))),)) is None


def test_a_graph_whose_weights_stand_apart_is_said_not_to_be_tried(tmp_path: Path) -> None:
    model, path = folded([1, 30]), tmp_path / "net.onnx"
    model.graph.node.append(helper.make_node("MatMul", ["y", "w"], ["z"], name="head"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((30, 14), "f"), "w"))
    onnx.save(model, path, save_as_external_data=True, location="net.data", size_threshold=500)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = diagnosed(lambda: session.run(None, {"x": np.ones((3, 6, 5), "f")}))
    (one,) = (one for one in found.fixes if one.text == 'shape=(-1, 30) in "fold"')
    assert one.claim.level is Level.UNTRIED
