"""Where the sizes of a graph, of what it is fed and of a checkpoint are written: told with the line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shapeinspect_onnx.debug.origins.graph import End, Graph

GRAPH = """
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH = 6
CLASSES = 5
rng = np.random.default_rng(0)

def weight(name, *shape):
    return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)

def conv(x, name, stride=1):
    inputs = [x, f"{name}.w"]
    return helper.make_node("Conv", inputs, [name], name=name, strides=[stride, stride], pads=[1] * 4)

nodes = [
    conv("image", "stem", stride=2),
    conv("stem", "left", stride=2),
    {right},
    helper.make_node("Add", ["left", "right"], ["sum"], name="sum"),
    helper.make_node("GlobalAveragePool", ["sum"], ["pooled"], name="pool"),
    helper.make_node("Reshape", ["pooled", "rows"], ["flat"], name="flatten"),
    helper.make_node("Gemm", ["flat", "head.w"], ["scores"], name="head"),
]
weights = [
    weight("stem.w", 4, 3, 3, 3),
    weight("left.w", WIDTH, 4, 3, 3),
    weight("right.w", WIDTH, 4, 3, 3),
    numpy_helper.from_array(np.array([0, {rows}], dtype=np.int64), "rows"),
    weight("head.w", {features}, CLASSES),
]
image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, {width}])
scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", CLASSES])
graph = helper.make_graph(nodes, "net", [image], [scores], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())

def crop(row):
    return row[:20] + [0.0] * {more}

picture = np.array([[crop([0.5] * 30) for _ in range(16)] for _ in range(3)], np.float32)
session.run(None, {"image": picture[None]})
"""
WHOLE = {
    "right": 'conv("stem", "right", stride=2)', "rows": "WIDTH", "features": "WIDTH", "width": "20",
    "more": "0",
}  # fmt: skip
#: What is wrong, and what is said of it.
GRAPHS = {
    "a stored matrix": ({"features": "WIDTH * 2"}, ["12 = 6·2", "6 is WIDTH, line 6"]),
    "a stride that is left out": (
        {"right": 'conv("stem", "right")'},
        ['keeps 10, line 20: conv("stem", "right")', "1 is the default of stride in conv, line 13"],
    ),
    "a row that a reshape asks for": ({"rows": "CLASSES"}, ["5 is CLASSES, line 7"]),
    "a declared length": ({"width": "20 + 4"}, ["24 = 20 + 4", "has 20 entries"]),
    "a row that is too long": ({"more": "2"}, ["row[:20] + [0.0] * 2 at line 40 has 22 entries"]),
}

CHECKPOINT = """
import io
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=12, depth=2):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.layers = nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])
        self.head = nn.Linear(width, 3)

def train():
    buffer = io.BytesIO()
    torch.save({"model": Net(7).state_dict()}, buffer)
    return buffer.getvalue()

net = Net()
net.load_state_dict(torch.load(io.BytesIO(train()))["model"])
"""


def told(folder: Path, text: str) -> str:
    """Run a text under the debugger and return its diagnosis, each line of which is joined."""
    script = folder / "net.py"
    script.write_text(text)
    words = [sys.executable, "-m", "shapeinspect", str(script)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ})
    assert "\nshapeinspect: " in ran.stderr, ran.stderr
    return " ".join(ran.stderr.rpartition("\nshapeinspect: ")[2].split())


@pytest.mark.parametrize("case", GRAPHS)
def test_the_line_is_told_at_which_a_size_of_a_graph_is_written(case: str, tmp_path: Path) -> None:
    parts, expected = GRAPHS[case]
    text = GRAPH
    for name, value in {**WHOLE, **parts}.items():
        text = text.replace(f"{{{name}}}", value)
    said = told(tmp_path, text)
    assert [one for one in expected if one not in said] == [], said


def test_the_default_is_told_that_a_checkpoint_contradicts(tmp_path: Path) -> None:
    said = told(tmp_path, CHECKPOINT)
    assert "12 is the default of width in Net, line 7; the checkpoint has 7 there: token and 5 more" in said


#: A node, the shapes of its operands and its attributes; no two lengths are equal that need not be.
NODES = {
    "fewer axes first": ("MatMul", [(3, 4), (5, 4, 6)], {}),
    "fewer axes second": ("MatMul", [(5, 3, 4), (4, 6)], {}),
    "a length of one": ("MatMul", [(1, 3, 4), (5, 4, 6)], {}),
    "a vector first": ("MatMul", [(4,), (5, 4, 6)], {}),
    "a vector second": ("MatMul", [(5, 3, 4), (4,)], {}),
    "both turned": ("Gemm", [(4, 3), (6, 4)], {"transA": 1, "transB": 1}),
    "no order": ("Transpose", [(3, 4, 5)], {}),
    "rows": ("Gather", [(3, 4, 5), (7, 6)], {}),
    "the last axis": ("Gather", [(3, 4, 5), (7, 6)], {"axis": -1}),
    "turned kernels": ("ConvTranspose", [(2, 3, 9), (3, 5, 4)], {}),
}


@pytest.mark.parametrize("case", NODES)
def test_a_length_is_followed_to_the_axis_that_has_it(case: str) -> None:
    from onnx import TensorProto, helper, numpy_helper, shape_inference

    kind, shapes, settings = NODES[case]
    types = ["float32", "int64" if kind == "Gather" else "float32"]
    tensors = [
        numpy_helper.from_array(np.zeros(shape, dtype), name)
        for name, shape, dtype in zip("ab", shapes, types, strict=False)
    ]
    node = helper.make_node(kind, [one.name for one in tensors], ["out"], name="node", **settings)
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    model = shape_inference.infer_shapes(
        helper.make_model(helper.make_graph([node], "net", [], [out], tensors)), strict_mode=True
    )
    made = tuple(one.dim_value for one in model.graph.output[0].type.tensor_type.shape.dim)
    graph, given = Graph(model.graph, {"out": made}), dict(zip("ab", shapes, strict=False))
    for axis, length in enumerate(made[:2] if kind == "ConvTranspose" else made):
        end = graph.end("out", axis)
        assert isinstance(end, End), axis
        assert end.kind == "stored", (axis, end)
        assert given[end.name][end.axis] == length, (axis, end)


def test_a_row_in_another_file_is_not_read() -> None:
    from onnx import TensorProto, helper, numpy_helper

    row = numpy_helper.from_array(np.array([0, 7]), "rows")
    row.data_location = TensorProto.EXTERNAL
    row.external_data.add(key="location", value="absent.bin")
    node = helper.make_node("Reshape", ["x", "rows"], ["out"], name="node")
    graph = Graph(helper.make_graph([node], "net", [], [], [row]), {"out": (5, 7)})
    assert graph.end("out", 1) == End("node", "node", 1)
