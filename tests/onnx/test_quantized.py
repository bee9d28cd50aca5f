"""The axes of scales, proven by numbers: what they give is what onnxruntime dequantizes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import shapeinspect
from shapeinspect.layout.pattern import parse

Close = Callable[[Any, Any], None]

#: An op and its input, the shape of its weight, the axis, the block, and the letters of the scales.
CASES: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, int], str, str]] = [
    ("Conv", (2, 3, 8, 9), (5, 3, 2, 4), {"axis": 0}, "o", "o"),
    ("Conv", (2, 3, 8, 9), (5, 3, 2, 4), {"axis": -4}, "o", "o"),
    ("Conv", (2, 3, 8, 9), (5, 3, 2, 4), {}, "i", "i"),
    ("Conv", (2, 3, 8, 9), (5, 3, 2, 4), {"axis": 3}, "kw", "kw"),
    ("ConvTranspose", (2, 3, 4, 5), (3, 7, 2, 6), {"axis": 1}, "o", "o"),
    ("MatMul", (2, 6), (6, 10), {"axis": 1}, "o", "o"),
    ("MatMul", (2, 6), (6, 10), {"axis": 0, "block_size": 2}, "block o", "o block"),
    ("MatMul", (2, 6), (6, 10), {"axis": -1, "block_size": 5}, "i block", "block i"),
    ("Gemm", (2, 6), (10, 6), {"axis": 0}, "o", "o"),
    ("Gather", (4,), (11, 3), {"axis": 0}, "V", "V"),
    ("Gather", (4,), (11, 3), {"axis": 1}, "E", "E"),
    ("Conv", (2, 3, 8, 9), (5, 3, 2, 4), {"axis": 9}, "", ""),  # one number for the whole weight has no axis
]


def _model(op: str, shape: tuple[int, ...], arrays: dict[str, Any], settings: dict[str, int]) -> Any:
    dequantized = "wq" in arrays
    nodes = [helper.make_node("DequantizeLinear", ["wq", "s", "z"], ["w"], **settings)] if dequantized else []
    extra = {"transB": 1} if op == "Gemm" else {}
    operands = ["w", "x"] if op == "Gather" else ["x", "w"]
    nodes.append(helper.make_node(op, operands, ["y"], name="layer", **extra))
    kind = TensorProto.INT64 if op == "Gather" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _run(model: Any, x: Any) -> Any:
    options = onnxruntime.SessionOptions()
    # Its fused kernels round the activations to 8 bits too.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]


@pytest.mark.parametrize(("op", "given", "shape", "settings", "native", "common"), CASES)
def test_scales_stand_along_the_axes_that_their_letters_say(
    close: Close,
    op: str,
    given: tuple[int, ...],
    shape: tuple[int, ...],
    settings: dict[str, int],
    native: str,
    common: str,
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    axis, block = settings.get("axis", 1), settings.get("block_size", 1)
    lengths = [length // block if at == axis % len(shape) else length for at, length in enumerate(shape)]
    scales = tuple(lengths) if "block_size" in settings else (shape[axis],) if native else ()
    settings = settings if native else {}
    arrays = {
        "wq": rng.integers(-99, 99, shape).astype(np.int8),
        "s": rng.random(scales).astype(np.float32),
        "z": rng.integers(-9, 9, scales).astype(np.int8),
    }
    model = _model(op, given, arrays, settings)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    layer = shapeinspect.inspect(path)["layer"]
    found = {weight.role.partition("_")[2]: weight for weight in layer.weights}
    weight, scale, zero = found[""], found["scale"], found["zero_point"]
    assert (scale.layout.native, scale.layout.common) == (native, common)
    assert zero.layout.native == native

    # What the letters say: each scale stands along the weight's axis of its name.
    letters = parse(weight.layout.native).labels
    known = parse(scale.layout.native).labels
    ends = [
        length if letter in known or "block" in known else 1
        for letter, length in zip(letters, shape, strict=True)
    ]
    spread = []
    for array in (arrays["s"], arrays["z"].astype(np.float32)):
        if "block" in known:
            array = np.repeat(array, block, known.index("block"))  # noqa: PLW2901  # one for each place
        spread.append(array.reshape(ends))
    plain = ((arrays["wq"] - spread[1]) * spread[0]).astype(np.float32)
    x = rng.integers(0, 11, given) if op == "Gather" else rng.random(given).astype(np.float32)
    expected = _run(_model(op, given, {"w": plain}, {}), x)
    close(_run(model, x), expected)


def test_a_quantized_network_is_written_in_the_common_convention(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "wq": rng.integers(-99, 99, (6, 10)).astype(np.int8),
        "s": rng.random((3, 10)).astype(np.float32),
        "z": np.zeros((3, 10), np.int8),
    }
    onnx.save(_model("MatMul", (2, 6), arrays, {"axis": 0, "block_size": 2}), tmp_path / "m.onnx")
    written = shapeinspect.normalize(tmp_path / "m.onnx", tmp_path / "m.safetensors")
    assert dict(written.tensors) == {"layer.weight": (10, 6)}
