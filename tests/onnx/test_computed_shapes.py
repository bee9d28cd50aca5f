"""Shapes that a graph computes with: every value against what onnxruntime makes of real numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from shapeinspect import inspect
from shapeinspect.api.debugging import fits
from shapeinspect.dims import substitute

#: No two lengths are the same.
SIZES = {"B": 2, "H": 7, "W": 9}
INPUT: tuple[Any, ...] = ("B", 3, "H", "W")
LEAST, MOST = np.iinfo(np.int64).min + 1, np.iinfo(np.int64).max


def integers(build, name: str, *numbers: int) -> str:
    return build.tensor(name, np.array(numbers, np.int64))


def length(build, axis: int) -> str:
    """Return the length of one axis of the input as a list of one number, as exporters compute it."""
    shape = build.node("Shape", ["x"], f"shape{axis}")
    one = build.node("Gather", [shape, build.tensor(f"at{axis}", np.int64(axis))], f"scalar{axis}")
    return build.node("Unsqueeze", [one, integers(build, f"ax{axis}", 0)], f"length{axis}")


def flattened(build) -> str:
    """What Paddle writes for a flatten: a part of the shape, and -1."""
    shape = build.node("Shape", ["x"], "shape")
    cut = [integers(build, "from", 0), integers(build, "to", 2), integers(build, "axes", 0)]
    head = build.node("Slice", [shape, *cut], "head")
    target = build.node("Concat", [head, integers(build, "rest", -1)], "target", axis=0)
    return build.node("Reshape", ["x", target], "y")


def padded(build) -> str:
    """What torch writes for a pad: pairs of the last axes, turned round through a matrix."""
    fill = onnx.helper.make_tensor("fill", TensorProto.INT64, (1,), [0])
    zeros = build.node("ConstantOfShape", [integers(build, "four", 4)], "zeros", value=fill)
    pads = build.node("Concat", [integers(build, "given", 1, 2, 3, 4), zeros], "pads", axis=0)
    pairs = build.node("Reshape", [pads, integers(build, "pair", -1, 2)], "pairs")
    cut = [integers(build, "last", -1), integers(build, "first", LEAST), integers(build, "a", 0)]
    turned = build.node("Slice", [pairs, *cut, integers(build, "back", -1)], "turned")
    moved = build.node("Transpose", [turned], "moved", perm=[1, 0])
    flat = build.node("Reshape", [moved, integers(build, "all", -1)], "flat")
    return build.node("Pad", ["x", build.node("Cast", [flat], "whole", to=TensorProto.INT64)], "y")


def expanded(build) -> str:
    """What torch writes for an expand: -1 becomes 1 before it."""
    fill = onnx.helper.make_tensor("fill", TensorProto.INT64, (1,), [1])
    ones = build.node("ConstantOfShape", [integers(build, "five", 5)], "ones", value=fill)
    minus = build.node("Mul", [ones, build.tensor("m", np.int64(-1))], "minus")
    parts = [integers(build, "two", 4), length(build, 0), integers(build, "same", -1), length(build, 2)]
    wanted = build.node("Concat", [*parts, length(build, 3)], "wanted", axis=0)
    where = build.node("Where", [build.node("Equal", [wanted, minus], "equal"), ones, wanted], "target")
    return build.node("Expand", ["x", where], "y")


def places(build) -> str:
    """A grid of places, whose numbers are counted as floats."""
    bounds = [build.node("Cast", [name], f"{name}f", to=1) for name in (length(build, 2), length(build, 3))]
    bounds = [build.node("Squeeze", [name, integers(build, f"{name}0", 0)], f"{name}s") for name in bounds]
    start, step = build.tensor("start", np.float32(0)), build.tensor("step", np.float32(1))
    rows, columns = (build.node("Range", [start, end, step], f"range{end}") for end in bounds)
    column = build.node("Unsqueeze", [rows, integers(build, "one", 1)], "column")
    return build.node("Add", [column, columns], "y")


def ranged(build) -> str:
    """Places up to a length that is a list of one number, as the definition of AffineGrid counts them."""
    start, step = build.tensor("start", np.int64(0)), build.tensor("step", np.int64(1))
    return build.node("Cast", [build.node("Range", [start, length(build, 3), step], "places")], "y", to=1)


def halved(build) -> str:
    """A slice up to the half of an axis, and the product of what is left."""
    half = build.node("Div", [length(build, 3), integers(build, "half", 2)], "end")
    cut = [integers(build, "from", 0), half, integers(build, "axes", 3)]
    left = build.node("Slice", ["x", *cut], "left")
    size = build.node("Shape", [left], "size")
    count = build.node("ReduceProd", [size], "count", keepdims=1)
    return build.node("Reshape", [left, count], "y")


def resized(build) -> str:
    """Twice the height, as a list of all lengths; the places of what is left out count."""
    high = build.node("Mul", [length(build, 2), integers(build, "double", 2)], "high")
    parts = [length(build, 0), length(build, 1), high, length(build, 3)]
    sizes = build.node("Concat", parts, "sizes", axis=0)
    roi = build.tensor("roi", np.zeros(0, np.float32))
    return build.node("Resize", ["x", roi, "", sizes], "y", mode="nearest")


def highest(build) -> str:
    return build.node("TopK", ["x", length(build, 2)], "y", "places", axis=-1)


def tiled(build) -> str:
    parts = [integers(build, "once", 1, 1), length(build, 0), length(build, 1)]
    return build.node("Tile", ["x", build.node("Concat", parts, "repeats", axis=0)], "y")


def counted(build) -> str:
    """A list as long as the picture has entries."""
    size = build.node("Unsqueeze", [build.node("Size", ["x"], "size"), integers(build, "z", 0)], "list")
    return build.node("ConstantOfShape", [size], "y")


GRAPHS = [flattened, padded, expanded, places, ranged, resized, highest, tiled, counted]
#: Of an open width nothing tells whether its half is within it.
CASES = [*((graph, fed) for graph in GRAPHS for fed in (False, True)), (halved, True)]


def made(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shape of everything that onnxruntime computes."""
    every = onnx.ModelProto.FromString(model.SerializeToString())
    have = {entry.name for entry in every.graph.output}
    names = [name for node in every.graph.node for name in node.output]
    every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in have)
    session = onnxruntime.InferenceSession(every.SerializeToString())
    picture = np.zeros([SIZES.get(dim, dim) for dim in INPUT], np.float32)
    return {name: session.run([name], {"x": picture})[0].shape for name in names}


@pytest.mark.parametrize(("graph", "fed"), CASES)
def test_every_value_has_the_shape_that_it_gets(build, tmp_path: Path, graph: Any, fed: bool) -> None:
    result = graph(build)
    model = build.model({"x": INPUT}, [result])
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    report = inspect(str(path), {"x": tuple(SIZES.get(dim, dim) for dim in INPUT)} if fed else None)
    assert not report.notes
    for name, want in made(model).items():
        shape = report.model.values[name].shape
        assert shape is not None, name
        assert tuple(substitute(dim, SIZES) for dim in shape) == want, name


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_check_follows_them(build, tmp_path: Path, graph: Any) -> None:
    model = build.model({"x": INPUT}, [graph(build)])
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    fit = fits(str(path), tuple(SIZES.get(dim, dim) for dim in INPUT))
    assert (fit.diagnosis, fit.unchecked) == (None, ())
    assert fit.model.values["y"].shape == made(model)["y"]


def test_numbers_that_grow_without_end_are_given_up(build, tmp_path: Path) -> None:
    """Each step squares, or doubles the text of, what it was given."""
    square, halves = length(build, 2), length(build, 3)
    for step in range(60):
        square = build.node("Mul", [square, square], f"square{step}")
        two, three = (integers(build, f"by{n}_{step}", n) for n in (2, 3))
        parts = [build.node("Div", [halves, by], f"{by}d") for by in (two, three)]
        halves = build.node("Add", parts, f"halves{step}")
    target = build.node("Concat", [square, halves], "target", axis=0)
    build.node("ConstantOfShape", [target], "y")
    path = tmp_path / "model.onnx"
    onnx.save(build.model({"x": INPUT}, ["y"]), path)
    assert str(inspect(str(path)).model.values["y"].shape) == "(?, ?)"


def test_numbers_of_the_data_stay_unknown(build, tmp_path: Path) -> None:
    """A target that depends on what the input holds, not on its shape, is not worked out."""
    start = build.node("Gather", ["x", build.tensor("at", np.int64(0))], "start")
    bound = build.node("Unsqueeze", [start, integers(build, "z", 0)], "bound")
    build.node("ConstantOfShape", [bound], "y")
    model = build.model({"x": (4,)}, ["y"], dtypes={"x": TensorProto.INT64})
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert str(inspect(str(path)).model.values["y"].shape) == "(?,)"


def test_lengths_without_a_name_need_not_be_the_same(build, tmp_path: Path) -> None:
    """Paddle writes ``?`` for each open length; a symbol of that name would make them one."""
    build.node("Relu", ["x"], "y")
    model = build.model({"x": ("?", 3, "?", "None")}, ["y"])
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    report = inspect(str(path))
    assert str(report.inputs[0].shape) == str(report.outputs[0].shape) == "(x_dim_0, 3, x_dim_2, x_dim_3)"
    fed = inspect(str(path), (2, 3, 5, 7))
    assert fed.outputs[0].shape == (2, 3, 5, 7)
