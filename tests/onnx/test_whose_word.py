"""Whose word counts: what onnxruntime computes, not what onnx's inference or a declaration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits
from shapeinspect.ir import Note

from .runtime_oracle import compare, session

#: What onnx 1.23 infers wrongly: the op, its settings, its input and weight, and the opset.
WRONG: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[int, ...], int]] = [
    (
        "ConvTranspose",
        {"auto_pad": "SAME_UPPER", "strides": [2, 2], "output_padding": [1, 1]},
        (1, 2, 3, 5),
        (2, 7, 3, 3),
        17,
    ),
    (
        "MaxPool",
        {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1, "pads": [1, 0, 1, 1]},
        (1, 3, 7, 8),
        (),
        12,
    ),
    ("MaxPool", {"kernel_shape": [1, 1], "strides": [2, 2], "ceil_mode": 1}, (1, 3, 4, 6), (), 17),
]


def inferred_wrongly(
    build: Any, op: str, settings: dict[str, Any], weight: tuple[int, ...], opset: int
) -> onnx.ModelProto:
    build.node(op, ["x", build.weight("w", *weight)] if weight else ["x"], "a", name="odd", **settings)
    build.node("Relu", ["a"], "b")
    build.node("Flatten", ["b"], "y")
    return build.model({"x": ("N", "C", "H", "W")}, ["y"], opset=opset)


@pytest.mark.parametrize(("op", "settings", "shape", "weight", "opset"), WRONG)
def test_our_rule_comes_before_onnx_inference(build, op, settings, shape, weight, opset) -> None:
    model = inferred_wrongly(build, op, settings, weight, opset)
    for axis, length in enumerate(shape):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length
    score = compare(model, [{"x": np.zeros(shape, np.float32)}])
    assert (score.exact, score.unknown, score.wrong) == (3, [], [])
    notes = [note for note in inspect(model).notes if note.about == "odd"]
    assert len(notes) == 1
    assert notes[0].text.startswith("onnx's shape inference says the output is ")


def test_a_wrong_value_info_gives_way(build) -> None:
    """Whoever makes a file's batch dynamic leaves the values of the old batch behind."""
    build.node("MatMul", ["x", build.weight("w", 3, 5)], "a", name="mul")
    build.node("Relu", ["a"], "y")
    model = build.model({"x": ("N", 3)}, ["y"])
    stale = onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [1, 7])
    model.graph.value_info.append(stale)
    score = compare(model, [{"x": np.zeros((n, 3), np.float32)} for n in (1, 2, 4)])
    assert (score.exact, score.unknown, score.wrong) == (2, [], [])
    text = "the file's value_info says the output is (1, 7); its settings give (N, 5)"
    assert Note(text, "mul") in inspect(model).notes


@pytest.mark.parametrize("declared", [("N", 7), ("N",), (1, 5), ("N", 5, 1)])
def test_what_is_declared_is_no_reason_to_refuse(build, declared: tuple[Any, ...], tmp_path: Path) -> None:
    build.node("MatMul", ["x", build.weight("w", 3, 5)], "y", name="mul")
    model = build.model({"x": ("N", 3)}, ["y"])
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, declared))
    path = tmp_path / "declared.onnx"
    onnx.save(model, path)
    made = session(str(path)).run(None, {"x": np.zeros((2, 3), np.float32)})[0]
    report, checked = inspect(str(path)), fits(str(path))
    assert made.shape == (2, 5)
    assert str(report.outputs[0].shape) == "(N, 5)"
    assert checked.diagnosis is None
    assert "the file's declaration says the output is" in report.notes[0].text
    if len(declared) != 2 or declared[1] == 7:
        assert [note.text for note in checked.model.notes] == [report.notes[0].text]


@pytest.mark.parametrize(("target", "condition"), [([1, 96], "N = 1"), ([0, 16, -1], ""), ([0, 16, 6], "")])
def test_a_batch_that_an_export_has_fixed(build, target: list[int], condition: str, tmp_path: Path) -> None:
    """onnxruntime takes a batch of one, so that it is no reason to refuse the file, and a note says so."""
    build.node("Reshape", ["x", build.tensor("to", np.array(target))], "y", name="flat")
    path = tmp_path / "baked.onnx"
    onnx.save(build.model({"x": ("N", 6, 16)}, ["y"]), path)
    run = session(str(path))
    assert run.run(None, {"x": np.zeros((1, 6, 16), np.float32)})
    checked, notes = fits(str(path)), [note.text for note in inspect(str(path)).notes]
    assert checked.diagnosis is None
    assert bool(condition) == bool(checked.model.notes)
    assert notes == ([f"it fits only where {condition}: its lengths are fixed"] if condition else [])


def test_a_length_that_an_export_has_fixed(build) -> None:
    build.node("Reshape", ["x", build.tensor("to", np.array([0, 16, 4, 8]))], "y", name="heads")
    model = build.model({"x": ("N", "T", 32)}, ["y"])
    score = compare(model, [{"x": np.zeros((n, 16, 32), np.float32)} for n in (1, 3)])
    assert (score.exact, score.unknown, score.wrong) == (1, [], [])
    assert Note("it fits only where T = 16: its lengths are fixed", "heads") in inspect(model).notes


def test_a_stored_kernel_of_another_size_is_refused(build, tmp_path: Path) -> None:
    build.node("Conv", ["x", build.weight("w", 4, 6, 5, 3)], "y", name="conv", kernel_shape=[3, 3])
    path = tmp_path / "kernel.onnx"
    onnx.save(build.model({"x": ("N", 6, 9, 11)}, ["y"]), path)
    with pytest.raises(Exception, match="kernel_shape is not compatible with W shape"):
        session(str(path)).run(None, {"x": np.zeros((2, 6, 9, 11), np.float32)})
    diagnosis = fits(str(path)).diagnosis
    assert diagnosis is not None
    assert (diagnosis.layer.path, diagnosis.cause) == ("conv", "kernel")
    assert (diagnosis.problem.expected, diagnosis.problem.got) == (
        "a kernel of (3, 3)",
        '(5, 3) in the weight "w" of (4, 6, 5, 3)',
    )


def test_a_slice_to_a_large_end_keeps_an_open_batch(build, tmp_path: Path) -> None:
    """Exporters write "to the end" as 1,000,000,000, too: the check must not take it for a length."""
    bounds = [build.tensor(name, np.array([n])) for name, n in (("s", 0), ("e", 10**9), ("a", 0))]
    build.node("Slice", ["x", *bounds], "cut")
    build.node("Shape", ["x"], "size", end=1)
    build.node("Concat", ["size", build.tensor("rest", np.array([3, 2]))], "to", axis=0)
    build.node("Reshape", ["cut", "to"], "y")
    path = tmp_path / "slice.onnx"
    onnx.save(build.model({"x": ("N", 6)}, ["y"]), path)
    result = fits(str(path))
    assert result.diagnosis is None
    assert str(result.model.values["y"].shape) == "(N, 3, 2)"
