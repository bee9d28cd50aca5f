"""A file of 1.5 GB whose weights lie inside it, against loading it and inferring its shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import python, shapeinspect

pytestmark = pytest.mark.bench

WIDTH, LAYERS = 5000, 15
PEER = "import sys, onnx; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _head(field: int, length: int) -> bytes:
    """Return what stands before a field of some bytes: its number and its length."""
    return _varint(field << 3 | 2) + _varint(length)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[str]:
    """Write the file without holding it; its zeros take no room on most disks."""
    from onnx import TensorProto, helper

    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(LAYERS)]
    ends = [
        helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, shape)
        for i, shape in ((0, ("batch", WIDTH)), (LAYERS, None))
    ]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.ClearField("graph")
    size = 4 * WIDTH * WIDTH
    tensors = []
    for index in range(LAYERS):
        start = TensorProto(name=f"w{index}", dims=[WIDTH, WIDTH], data_type=TensorProto.FLOAT)
        inner = start.SerializeToString() + _head(9, size)  # raw_data
        tensors.append(_head(5, len(inner) + size) + inner)  # initializer
    rest = graph.SerializeToString()
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(model.SerializeToString() + _head(7, len(rest) + sum(len(t) + size for t in tensors)))
        file.write(rest)
        for tensor in tensors:
            file.write(tensor)
            file.seek(size - 1, 1)
            file.write(b"\0")
    assert path.stat().st_size > 1_500_000_000
    yield str(path)
    path.unlink()


def test_inline_weights(compare, large: str) -> None:
    from shapeinspect import inspect

    assert inspect(large).totals.params == LAYERS * WIDTH * WIDTH
    ours, peer = shapeinspect("show", large), python(PEER, large)
    faster, smaller = compare("show large.onnx (1.5 GB inline)", ours, peer, runs=1)
    assert faster >= 10
    assert smaller >= 50
