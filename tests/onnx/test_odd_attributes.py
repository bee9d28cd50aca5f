"""Attributes and inputs that no exporter writes: a file with them is read as far as it goes, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import shapeinspect
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import ShapeInspectError
from shapeinspect.render.data import to_json

_MICROSOFT, _LEARNING = {"domain": "com.microsoft"}, {"domain": "ai.onnx.ml"}


def _stored(**arrays: Any) -> list[Any]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def _node(*arguments: Any, **attributes: Any) -> Any:
    return helper.make_node(*arguments, **attributes)


def _value(name: str, shape: Sequence[Any] | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(nodes: Sequence[Any], stored: Sequence[Any] = (), inputs: Sequence[Any] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes), "g", list(inputs) or [_value("x", (2, 3))], [_value("y", None)], list(stored)
    )
    domains = [
        ("", 21),
        ("com.microsoft", 1),
        ("com.microsoft.nchwc", 1),
        ("ai.onnx.ml", 3),
        ("own.domain", 1),
    ]
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*pair) for pair in domains])


def _scan(**attributes: Any) -> Any:
    body = helper.make_graph(
        [_node("Identity", ["a"], ["b"])], "body", [_value("a", (3,))], [_value("b", (3,))]
    )
    return _model([_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1, **attributes)])


def _loop_of_other_states() -> Any:
    entries = [
        _value("i", (), TensorProto.INT64),
        _value("c", (), TensorProto.BOOL),
        _value("a", (2, 3)),
        _value("b", (2, 3)),
    ]
    ends = [_value("d", (), TensorProto.BOOL)]
    body = helper.make_graph([_node("Identity", ["c"], ["d"])], "body", entries, ends)
    return _model([_node("Loop", ["m", "t"], ["y", "z"], body=body)], _stored(m=3, t=True))


_KERNEL = _stored(w=np.ones((3, 4), np.int8))

ODD = {
    "a product without outputs": _model([_node("MatMulInteger", ["x", "w"], [])], _KERNEL),
    "a cast without outputs": _model(
        [_node("MatMulInteger", ["x", "w"], ["p"]), _node("Cast", ["p"], [], to=1)], _KERNEL
    ),
    "a lookup without inputs": _model(
        [_node("Gather", [], ["t"]), _node("DequantizeLinear", ["t", "s"], ["y"])], _stored(s=np.float32(1))
    ),
    "joined scalars": _model(
        [
            _node("ReduceSum", ["x"], ["r"], keepdims=0),
            _node("SequenceConstruct", ["r", "r"], ["s"]),
            _node("ConcatFromSequence", ["s"], ["y"], axis=0),
        ]
    ),
    "a text for an axis": _model(
        [_node("SequenceConstruct", ["x", "x"], ["s"]), _node("ConcatFromSequence", ["s"], ["y"], axis="a")]
    ),
    "axes that are none": _model(
        [_node("SplitToSequence", ["x"], ["s"], axis=7), _node("ConcatFromSequence", ["s"], ["y"], axis=9)]
    ),
    "a loop of other states": _loop_of_other_states(),
    "half an axis of a scan": _scan(scan_input_axes=[0.5]),
    "a text for the axes of a scan": _scan(scan_input_axes="ab"),
    "no bits": _model(
        [_node("MatMulNBits", ["x", "w", "s"], ["y"], K=16, N=0, bits=0, block_size=16, **_MICROSOFT)],
        _stored(w=np.ones((0, 1, 8), np.uint8), s=np.ones(0, np.float32)),
    ),
    "no size of a step": _model([_node("UnfoldTensor", ["x"], ["y"], size=-2, step=0, **_MICROSOFT)]),
    "more parts than outputs": _model(
        [_node("Split", ["x"], ["y"], axis=0, num_outputs=1 << 40)], inputs=[_value("x", (1 << 60, 3))]
    ),
    "a text for scales": _model(
        [_node("Upsample", ["x"], ["y"], scales="abcd", domain="com.microsoft.nchwc")],
        inputs=[_value("x", (2, 16, 5, 7))],
    ),
    "a range without end": _model(
        [_node("Range", ["a", "b", "c"], ["y"])],
        _stored(a=np.float32(0), b=np.float32(np.inf), c=np.float32(1)),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read_or_refused(name: str) -> None:
    try:
        report = shapeinspect.inspect(ODD[name])
    except ShapeInspectError:
        return
    assert "".join(to_json(report.model))


_WRONG = {
    "an axis that a scan does not have": (_scan(scan_input_axes=[7]), "Scan_0", 0),
    "a negative number of pieces": (
        _model(
            [_node("SplitToSequence", ["x", "k"], ["s"]), _node("SequenceAt", ["s", "i"], ["y"])],
            _stored(k=np.array([-1, 3]), i=np.array(0)),
        ),
        "SequenceAt_1",
        0,
    ),
    "a negative number of targets": (
        _model([_node("LinearRegressor", ["x"], ["y"], targets=-3, coefficients=[1.0, 2, 3], **_LEARNING)]),
        "LinearRegressor_0",
        1,
    ),
}


@pytest.mark.parametrize("name", _WRONG)
def test_lengths_that_follow_from_nonsense_are_unknown(name: str) -> None:
    model, layer, axis = _WRONG[name]
    output = shapeinspect.inspect(model)[layer].output
    assert output.shape is None or output.shape[axis] == UNKNOWN


def test_an_operator_of_an_own_domain_is_unknown_whatever_its_name() -> None:
    node = _node("SkipLayerNormalization", ["x", "x", "g"], ["y"], domain="own.domain")
    model = _model([node], _stored(g=np.ones(3, np.float32)))
    assert shapeinspect.inspect(model)[0].kind == "unknown"


def test_a_matrix_of_four_bits_has_the_lengths_that_its_bytes_hold() -> None:
    stored = _stored(w=np.ones(8, np.uint8), s=np.ones(1, np.float32))
    node = _node("MatMulBnb4", ["x", "w", "s"], ["y"], K=1 << 40, N=1 << 40, block_size=1 << 50, **_MICROSOFT)
    weight = shapeinspect.inspect(_model([node], stored))[0].weights[0]
    assert weight.quantization is None
    assert weight.shape == (8,)


def test_states_that_do_not_settle_are_unknown() -> None:
    """One state grows, and each of the others follows the one before it, a round later."""
    states = [f"s{index}" for index in range(6)]
    entries = [_value("i", (), TensorProto.INT64), _value("c", (), TensorProto.BOOL)]
    nodes = [_node("Identity", ["c"], ["d"]), _node("Concat", ["s0", "x"], ["s0z"], axis=0)]
    nodes += [_node("Identity", pair[:1], [f"{pair[1]}z"]) for pair in pairwise(states)]
    ends = [_value("d", (), TensorProto.BOOL), *(_value(f"{name}z", None) for name in states)]
    body = helper.make_graph(nodes, "body", [*entries, *(_value(name, None) for name in states)], ends)
    outputs = [*(f"o{index}" for index in range(5)), "y"]
    loop = _node("Loop", ["m", "t", *["x"] * 6], outputs, body=body, name="loop")
    model = _model([loop], _stored(m=7, t=True))
    computed = ReferenceEvaluator(model).run(None, {"x": np.ones((2, 3), np.float32)})[0]
    shape = shapeinspect.inspect(model).model.values["y"].shape
    assert computed.shape == (6, 3)
    assert shape is None or shape[0] in (UNKNOWN, 6)
