"""Shapes that follow from numbers which a file stores, or which its nodes compute, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import shapeinspect

from .runtime_oracle import compare

INT64, FLOAT, BOOL = TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL
SIZES = ((2, 5), (3, 7), (4, 1))


def ports(**types: int) -> list[Any]:
    """Name values: real ones of any rank, others of none."""
    return [
        helper.make_tensor_value_info(name, code, None if code == FLOAT else ())
        for name, code in types.items()
    ]


def exact(model: onnx.ModelProto, feeds: list[dict[str, Any]]) -> int:
    """Return how many values are exact, after none was found to be anything else."""
    score = compare(model, feeds)
    assert (score.wrong, score.unknown) == ([], [])
    return score.exact


def pictures(channels: int) -> list[dict[str, Any]]:
    return [{"x": np.zeros((n, channels, length), np.float32)} for n, length in SIZES]


def counted_loop(build: Any, *, begins: bool = True) -> onnx.ModelProto:
    """Rounds and a condition that are computed from a length, as the definition of Range does."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["state", "w"], ["next"], name="fc"),
        ],
        "body",
        ports(i=INT64, go=BOOL, state=FLOAT),
        ports(go_on=BOOL, next=FLOAT) + ports(next=FLOAT),
    )
    build.weight("w", 5, 5)
    build.tensor("three", np.int64(3))
    build.tensor("step", np.float32(2 if begins else -2))
    build.tensor("first", np.int64(0))
    build.node("Shape", ["x"], "lengths")
    build.node("Gather", ["lengths", "first"], "n")
    build.node("Sub", ["three", "first"], "apart")
    build.node("Cast", ["apart"], "real", to=FLOAT)
    build.node("Div", ["real", "step"], "quotient")
    build.node("Ceil", ["quotient"], "whole")
    build.node("Relu", ["whole"], "counted")
    build.node("Cast", ["counted"], "rounds", to=INT64)
    build.node("Cast", ["counted"], "condition", to=BOOL)
    build.node("Loop", ["rounds", "condition", "x"], "last", "stacked", name="loop", body=body)
    return build.model({"x": ("N", 3, 5)}, ["last", "stacked"])


def test_rounds_and_a_condition_that_are_computed(build: Any) -> None:
    model = counted_loop(build)
    feeds = [{"x": np.zeros((n, 3, 5), np.float32)} for n in (1, 2, 4)]
    assert exact(model, feeds) > 9
    report = shapeinspect.inspect(model)
    assert [str(length) for length in report.outputs[1].shape] == ["2", "N", "3", "5"]
    assert str(report.totals.macs) == str(2 * 3 * 5 * 5) + "*N"


def test_a_condition_that_is_false_from_the_start_promises_no_round(build: Any) -> None:
    report = shapeinspect.inspect(counted_loop(build, begins=False))
    assert str(report.outputs[1].shape[0]) == "?"
    assert report.totals.macs_unknown == ("loop/body/fc",)


def test_a_scan_with_a_batch_axis(build: Any) -> None:
    """The first version of Scan runs for each sequence of a batch."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "entry"], ["sum"], name="add"),
            helper.make_node("MatMul", ["sum", "w"], ["made"], name="fc"),
        ],
        "body",
        [helper.make_tensor_value_info(name, FLOAT, (6,)) for name in ("state", "entry")],
        [helper.make_tensor_value_info(name, FLOAT, (size,)) for name, size in (("sum", 6), ("made", 4))],
    )
    build.weight("w", 6, 4)
    build.node("Scan", ["", "s", "x"], "last", "all", name="scan", body=body, num_scan_inputs=1)
    model = build.model({"s": ("N", 6), "x": ("N", "T", 6)}, ["last", "all"], opset=8, ir=3)
    feeds = [{"s": np.zeros((n, 6), np.float32), "x": np.zeros((n, t, 6), np.float32)} for n, t in SIZES]
    assert exact(model, feeds) == 2
    assert str(shapeinspect.inspect(model).totals.macs) == "24*N*T"


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_a_stored_condition_says_how_many_entries_it_picks(build: Any, axis: int | None) -> None:
    build.tensor("chosen", np.array([True, False, True]))
    build.node("Compress", ["x", "chosen"], "y", **({} if axis is None else {"axis": axis}))
    model = build.model({"x": (4, 6, 3)}, ["y"])
    assert exact(model, [{"x": np.zeros((4, 6, 3), np.float32)}]) == 1


@pytest.mark.parametrize("axis", [-1, -2, 1, 2, 0])
@pytest.mark.parametrize("known", [True, False], ids=["known rank", "rank that onnx does not infer"])
def test_the_mean_and_the_deviation_of_a_layer_norm(build: Any, axis: int, known: bool) -> None:
    shape = (3, 4, 5)[axis:]
    build.weight("gamma", *shape)
    source = "x" if known else build.node("QuickGelu", ["x"], "h", domain="com.microsoft")
    build.node("LayerNormalization", [source, "gamma"], "y", "mean", "deviation", axis=axis)
    domains = None if known else {"com.microsoft": 1}
    model = build.model({"x": (3, 4, 5)}, ["y", "mean", "deviation"], domains=domains)
    assert exact(model, [{"x": np.zeros((3, 4, 5), np.float32)}]) == (3 if known else 4)


def test_outputs_behind_the_first(build: Any) -> None:
    build.node("QuickGelu", ["x"], "h", domain="com.microsoft")
    build.node("Dropout", ["h"], "dropped", "kept")
    build.node("DynamicQuantizeLinear", ["h"], "codes", "scale", "zero")
    model = build.model({"x": ("N", 3, "L")}, ["dropped"], domains={"com.microsoft": 1})
    assert exact(model, pictures(3)) == 6


@pytest.mark.parametrize("name", ["EyeLike", "RandomNormalLike", "RandomUniformLike"])
def test_what_is_made_like_its_input(build: Any, name: str) -> None:
    build.tensor("lengths", np.array([4, 6], np.int64))
    build.node("Shape", ["x"], "given", start=1, end=3)
    build.node("ConstantOfShape", ["given"], "zeros")
    build.node(name, ["zeros"], "like", dtype=FLOAT)
    model = build.model({"x": ("N", 3, "L")}, ["like"])
    assert exact(model, pictures(3)) == 3


@pytest.mark.parametrize(
    ("equation", "stored", "work"),
    [
        ("nci,io->nco", [(1, (5, 7))], "N*3*5*7"),
        ("io,nci->nco", [(0, (5, 7))], "N*3*5*7"),
        ("nci,io,op->ncp", [(1, (5, 7)), (2, (7, 4))], "N*3*5*7*4"),
        ("nci,co->no", [(1, (1, 7))], "N*3*5*7"),
        ("...i,io->...o", [(1, (5, 7))], "N*3*5*7"),
    ],
)
def test_stored_operands_of_an_einsum(build: Any, equation: str, stored: Any, work: str) -> None:
    names = {slot: build.weight(f"w{slot}", *shape) for slot, shape in stored}
    # Of this product onnx infers nothing, as it does not know the operator in front.
    build.node("QuickGelu", ["x"], "h", domain="com.microsoft")
    operands = [names.get(slot, "h") for slot in range(equation.count(",") + 1)]
    build.node("Einsum", operands, "y", name="einsum", equation=equation)
    model = build.model({"x": ("N", 3, 5)}, ["y"], domains={"com.microsoft": 1})
    assert exact(model, [{"x": np.zeros((n, 3, 5), np.float32)} for n in (1, 2, 4)]) == 2
    total = 1
    for factor in work.split("*")[1:]:
        total *= int(factor)
    assert str(shapeinspect.inspect(model).totals.macs) == f"{total}*N"


def test_work_for_each_tensor_of_a_sequence_is_unknown(build: Any) -> None:
    """How many tensors there are is in the data: what one of them takes is no total."""
    body = helper.make_graph(
        [helper.make_node("MatMul", ["one", "w"], ["made"], name="fc")],
        "body",
        [helper.make_tensor_value_info("one", FLOAT, ("L", 5))],
        [helper.make_tensor_value_info("made", FLOAT, None)],
    )
    build.weight("w", 5, 7)
    build.node("SequenceMap", ["s"], "y", name="each", body=body)
    model = build.model({"x": (2, 3)}, ["y"])
    del model.graph.input[:], model.graph.output[:]
    model.graph.input.append(helper.make_tensor_sequence_value_info("s", FLOAT, ("L", 5)))
    model.graph.output.append(helper.make_tensor_sequence_value_info("y", FLOAT, None))
    report = shapeinspect.inspect(model)
    assert [str(length) for length in report.to_dict()["outputs"][0]["element"]] == ["L", "7"]
    assert report.totals.macs_unknown == ("each/body/fc",)
