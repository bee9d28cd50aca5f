"""Models that onnxruntime does not open for their versions: the form is named, and the version that opens."""

from __future__ import annotations

import re
from collections.abc import Callable

import onnx
import onnxruntime
import pytest

import shapeinspect
from shapeinspect.api.debugging import explain_error

Run = Callable[[str], None]

SCRIPT = """
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 7])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
axes = numpy_helper.from_array(np.array([1]), "axes")
node = helper.make_node({node})
graph = helper.make_graph([node], "net", [x], [y], {stored})
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", {opset})], ir_version={ir})
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
session.run(None, {{"x": np.ones((3, 1, 7), "float32")}})
"""
SQUEEZE = '"Squeeze", ["x"], ["y"], name="drop", axes=[1]'


@pytest.mark.parametrize(
    ("node", "stored", "opset", "expected", "got"),
    [
        (SQUEEZE, "[]", 15, "Squeeze of opset 15: inputs data, axes; attributes none", "1 to 12"),
        (
            '"ReduceSum", ["x", "axes"], ["y"], name="total", keepdims=0', "[axes]", 11,
            "ReduceSum of opset 11: inputs data; attributes axes, keepdims", "13 to ",
        ),
        ('"Gelu", ["x"], ["y"], name="act"', "[]", 17, "an operator of opset 17: Gelu is none", "20 to "),
        (
            '"Upsample", ["x"], ["y"], name="up", mode="nearest", scales=[1.0, 1.0, 2.0]', "[]", 14,
            "an operator of opset 14: Upsample is none", "7 to 8",
        ),
    ],
)  # fmt: skip
def test_a_node_of_another_opset(
    run: Run, node: str, stored: str, opset: int, expected: str, got: str
) -> None:
    text = SCRIPT.format(node=node, stored=stored, opset=opset, ir=8)
    with pytest.raises(Exception, match="ONNXRuntimeError") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    fact = found.failure.fact
    assert (found.cause, fact.expected) == ("opset", (expected,))
    assert f": the form of opsets {got}" in fact.got[0]
    (one,) = found.fixes
    new, old = one.text.split(" instead of ")
    assert text.count(old) == 1
    assert one.claim.text == "onnxruntime.InferenceSession runs to its end with it"
    run(text.replace(old, new))


def test_a_version_that_the_runtime_does_not_read(run: Run) -> None:
    newest = onnx.IR_VERSION + 9
    text = SCRIPT.format(node='"Relu", ["x"], ["y"], name="act"', stored="[]", opset=15, ir=newest)
    with pytest.raises(Exception, match="Unsupported model IR version") as caught:
        run(text)
    most = re.search(r"max supported IR version: (\d+)", str(caught.value))
    assert most is not None
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "model-version"
    new, old = found.fixes[0].text.split(" instead of ")
    assert f"ir_version={most[1]}" in new or new == most[1]
    assert text.count(old) == 1
    run(text.replace(old, new))


def test_an_attribute_of_no_opset_has_no_fix(run: Run) -> None:
    text = SCRIPT.format(node='"Relu", ["x"], ["y"], name="act", slope=3', stored="[]", opset=15, ir=8)
    with pytest.raises(Exception, match="Unrecognized attribute") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes == ()
    assert found.failure.fact.got == ("1 input; attributes slope",)


def test_a_file_that_is_none_is_left_alone() -> None:
    with pytest.raises(Exception, match="ONNXRuntimeError") as caught, shapeinspect.debug():
        onnxruntime.InferenceSession(b"no model", providers=["CPUExecutionProvider"])
    assert explain_error(caught.value) is None
    assert not getattr(caught.value, "__notes__", ())
