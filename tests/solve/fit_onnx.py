"""ONNX graphs with baked and computed sizes, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from fit_judge import Shapes, Subject, case
from onnx import TensorProto, helper

Node = tuple[str, Sequence[str], Sequence[str], dict[str, Any]]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def subject(
    folder: Path,
    inputs: dict[str, tuple[Any, ...]],
    nodes: Sequence[Node],
    constants: dict[str, Any],
    outputs: Sequence[str] = ("y",),
    whole: Sequence[str] = (),
) -> Subject:
    """Write a graph; the inputs in `whole` hold integers."""
    import onnxruntime

    types = {name: INT64 if name in whole else FLOAT for name in inputs}
    graph = helper.make_graph(
        [helper.make_node(op, list(i), list(o), f"{op}{n}", **kw) for n, (op, i, o, kw) in enumerate(nodes)],
        "g",
        [helper.make_tensor_value_info(name, types[name], shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path = folder / "m.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)

    def run(shapes: Shapes) -> bool:
        feed = {
            name: np.zeros(shape, np.int64 if name in whole else np.float32)
            for name, shape in zip(inputs, shapes, strict=True)
        }
        try:
            session.run(None, feed)
        except Exception:  # noqa: BLE001  # onnxruntime's own exceptions derive from Exception alone
            return False
        return True

    return Subject(path, None, run)


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def whole(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 14, 15, 16, 17, 31, 32, 33, 34, 40, 48, 64, 65]
CONV = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
HALF = {"kernel_shape": [2, 2], "strides": [2, 2]}


@case(("N", 3, "H", "W"), N=[1, 2, 3, 4], H=SIZES, W=SIZES)
def onnx_reshape_of_one(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Conv", ("x", "w"), ("c",), CONV),
        ("MaxPool", ("c",), ("p",), HALF),
        ("Reshape", ("p", "one"), ("f",), {}),
        ("MatMul", ("f", "m"), ("y",), {}),
    ]
    constants = {"w": zeros(4, 3, 3, 3), "one": whole(1, 256), "m": zeros(256, 5)}
    return subject(folder, {"x": ("N", 3, "H", "W")}, nodes, constants)


@case(("N", 3, "H", "W"), N=[1, 2, 3], H=SIZES, W=SIZES)
def onnx_flatten_and_gemm(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Conv", ("x", "w"), ("c",), CONV),
        ("MaxPool", ("c",), ("p",), {**HALF, "ceil_mode": 1}),
        ("Flatten", ("p",), ("f",), {"axis": 1}),
        ("Gemm", ("f", "m"), ("y",), {"transB": 1}),
    ]
    return subject(folder, {"x": ("batch", 3, "h", "w")}, nodes, {"w": zeros(4, 3, 3, 3), "m": zeros(5, 256)})


@case(("N", 3, "H", "W"), N=[1, 2], H=SIZES, W=SIZES)
def onnx_reshape_keeps_the_batch(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Conv", ("x", "w"), ("c",), HALF),
        ("Reshape", ("c", "to"), ("f",), {}),
        ("MatMul", ("f", "m"), ("y",), {}),
    ]
    constants = {"w": zeros(4, 3, 2, 2), "to": whole(0, -1, 64), "m": zeros(64, 5)}
    return subject(folder, {"x": (None, 3, None, None)}, nodes, constants)


@case(("N", 3, "H", "W"), N=[1, 2], H=SIZES, W=SIZES)
def onnx_pyramid_by_shape(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Conv", ("x", "w"), ("a",), {**CONV, "strides": [2, 2]}),
        ("Conv", ("a", "v"), ("b",), {**CONV, "strides": [2, 2]}),
        ("Shape", ("a",), ("s",), {}),
        ("Resize", ("b", "", "", "s"), ("r",), {"mode": "nearest"}),
        ("Add", ("a", "r"), ("y",), {}),
    ]
    return subject(folder, {"x": ("N", 3, "H", "W")}, nodes, {"w": zeros(4, 3, 3, 3), "v": zeros(4, 4, 3, 3)})


@case(("N", 3, "H", "W"), N=[1, 2], H=SIZES, W=SIZES)
def onnx_pyramid_by_scale(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Conv", ("x", "w"), ("a",), {**CONV, "strides": [2, 2]}),
        ("Conv", ("a", "v"), ("b",), {**CONV, "strides": [2, 2]}),
        ("Resize", ("b", "", "two"), ("r",), {"mode": "nearest"}),
        ("Add", ("a", "r"), ("y",), {}),
    ]
    constants = {
        "w": zeros(4, 3, 3, 3),
        "v": zeros(4, 4, 3, 3),
        "two": np.array([1, 1, 2, 2], np.float32),
    }
    return subject(folder, {"x": ("N", 3, "H", "W")}, nodes, constants)


TOKENS = [1, 2, 3, 5, 8, 15, 16, 17, 24, 30]


@case(("N", "L"), ("N", "M"), N=[1, 2, 3], L=TOKENS, M=TOKENS)
def onnx_bert_slices_its_positions(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Gather", ("words", "ids"), ("e",), {}),
        ("Shape", ("ids",), ("s",), {}),
        ("Slice", ("s", "one", "two"), ("t",), {}),
        ("Slice", ("table", "zero", "t", "zero"), ("p",), {}),
        ("Add", ("e", "p"), ("h",), {}),
        ("Unsqueeze", ("mask", "two"), ("k",), {}),
        ("Mul", ("h", "k"), ("y",), {}),
    ]
    constants = {
        "words": zeros(50, 8),
        "table": zeros(16, 8),
        "zero": whole(0),
        "one": whole(1),
        "two": whole(2),
    }
    inputs = {"ids": ("batch", "tokens"), "mask": ("batch", "mask_tokens")}
    return subject(folder, inputs, nodes, constants, whole=["ids"])


PAST = [1, 2, 3, 5, 8, 9]


@case(("N", "L", 8), ("N", "P", 8), ("N", "M"), N=[1, 2], L=PAST, P=PAST, M=[1, 2, 3, 4, 6, 8, 10, 11, 13])
def onnx_decoder_with_past(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Concat", ("past", "x"), ("k",), {"axis": 1}),
        ("Transpose", ("k",), ("kt",), {"perm": [0, 2, 1]}),
        ("MatMul", ("x", "kt"), ("q",), {}),
        ("Unsqueeze", ("mask", "one"), ("m",), {}),
        ("Add", ("q", "m"), ("a",), {}),
        ("Softmax", ("a",), ("p",), {"axis": -1}),
        ("MatMul", ("p", "k"), ("y",), {}),
    ]
    inputs = {"x": ("batch", "sequence", 8), "past": ("batch", "past", 8), "mask": ("batch", "total")}
    return subject(folder, inputs, nodes, {"one": whole(1)})


@case(("N", "L", 6), N=[1, 2, 3], L=[1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 18, 20])
def onnx_frames_of_four(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Reshape", ("x", "to"), ("f",), {}),
        ("MatMul", ("f", "m"), ("y",), {}),
    ]
    return subject(folder, {"x": ("batch", "frames", 6)}, nodes, {"to": whole(0, -1, 24), "m": zeros(24, 5)})


@case((1, "N", 3, "H"), N=[1, 2, 3, 4, 6], H=[3, 4, 5, 8, 11, 12, 16])
def onnx_split_in_three(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Split", ("x", "parts"), ("a", "b"), {"axis": 3}),
        ("Concat", ("a", "b"), ("y",), {"axis": 0}),
    ]
    return subject(folder, {"x": (1, "k", 3, "h")}, nodes, {"parts": whole(4, 4)})


@case(("N", 3, "H", "W"), N=[1, 2], H=SIZES, W=SIZES)
def onnx_declared_sizes(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Conv", ("x", "w"), ("c",), CONV),
        ("GlobalAveragePool", ("c",), ("p",), {}),
        ("Flatten", ("p",), ("f",), {"axis": 1}),
        ("MatMul", ("f", "m"), ("y",), {}),
    ]
    return subject(folder, {"x": ("N", 3, 32, 40)}, nodes, {"w": zeros(4, 3, 3, 3), "m": zeros(4, 5)})


@case(("N", "G", "H", "W"), N=[1, 2], G=[1, 2, 4, 8], H=[2, 4, 6, 8], W=[1, 2, 3, 6])
def onnx_named_axes(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("Reshape", ("x", "to"), ("f",), {}),
        ("Add", ("f", "bias"), ("y",), {}),
    ]
    return subject(
        folder, {"x": ("n", "g", "h", "w")}, nodes, {"to": whole(0, 0, -1), "bias": zeros(1, 4, 12)}
    )


@case(("N", 3, "H", "W"), N=[1, 2], H=SIZES, W=SIZES)
def onnx_depth_to_space(folder: Path) -> Subject:
    nodes: list[Node] = [
        ("SpaceToDepth", ("x",), ("d",), {"blocksize": 4}),
        ("Conv", ("d", "w"), ("c",), {}),
        ("DepthToSpace", ("c",), ("u",), {"blocksize": 4}),
        ("Concat", ("x", "u"), ("y",), {"axis": 1}),
    ]
    return subject(folder, {"x": ("N", 3, "H", "W")}, nodes, {"w": zeros(16, 48, 1, 1)})
