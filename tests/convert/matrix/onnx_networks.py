"""The networks of the matrix in ONNX, written node by node; images have their channels first."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Adds nodes one after another; the weights are zeros that are filled later."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def weight(self, name: str, *shape: int) -> str:
        self.tensors.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
        return name

    def numbers(self, name: str, *numbers: int) -> str:
        self.tensors.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name

    def node(self, op: str, *inputs: str, to: str, path: str = "", **attributes: Any) -> str:
        name = f"/{path or to}/{op}"
        self.nodes.append(helper.make_node(op, list(inputs), [to], name=name, **attributes))
        return to

    def conv(self, x: str, name: str, shape: tuple[int, ...], *, bias: bool = True, **settings: Any) -> str:
        weights = [self.weight(f"{name}.weight", *shape)]
        weights += [self.weight(f"{name}.bias", shape[0])] if bias else []
        return self.node("Conv", x, *weights, to=name, **settings)

    def norm(self, x: str, name: str, channels: int) -> str:
        weights = [self.weight(f"{name}.{role}", channels) for role in ("weight", "bias", "mean", "variance")]
        return self.node("BatchNormalization", x, *weights, to=name, epsilon=1e-4)

    def transposed(self, x: str, name: str, shape: tuple[int, ...], strides: list[int]) -> str:
        weights = [self.weight(f"{name}.weight", *shape), self.weight(f"{name}.bias", shape[1])]
        return self.node("ConvTranspose", x, *weights, to=name, strides=strides)

    def gemm(self, x: str, name: str, features: int, out: int) -> str:
        weights = [self.weight(f"{name}.weight", out, features), self.weight(f"{name}.bias", out)]
        return self.node("Gemm", x, *weights, to=name, transB=1)

    def linear(self, x: str, name: str, features: int, out: int) -> str:
        weight, path = self.weight(f"{name}.weight", features, out), name.replace(".", "/")
        y = self.node("MatMul", x, weight, to=f"{name}.product", path=path)
        return self.node("Add", y, self.weight(f"{name}.bias", out), to=name)

    def relu(self, x: str) -> str:
        return self.node("Relu", x, to=f"{x}.relu")

    def model(self, given: tuple[int, ...], out: str, rank: int) -> onnx.ModelProto:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, given)
        y = helper.make_tensor_value_info(out, TensorProto.FLOAT, [None] * rank)
        graph = helper.make_graph(self.nodes, "net", [x], [y], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def cnn() -> onnx.ModelProto:
    g = Graph()
    x = g.relu(g.conv("x", "first", (5, 3, 3, 2)))
    x = g.relu(g.conv(x, "second", (10, 5, 3, 3)))
    x = g.relu(g.gemm(g.node("Flatten", x, to="flat"), "hidden", 240, 17))
    return g.model((2, 3, 8, 9), g.gemm(x, "out", 17, 7), 2)


def depthwise() -> onnx.ModelProto:
    g = Graph()
    x = g.relu(g.conv("x", "depth", (6, 1, 3, 3), group=3))
    x = g.relu(g.conv(x, "stem", (10, 6, 1, 1)))
    x = g.conv(x, "separate", (10, 1, 3, 2), bias=False, group=10)
    x = g.node("Tanh", g.conv(x, "point", (7, 10, 1, 1)), to="tanh")
    return g.model((2, 3, 9, 8), g.gemm(g.node("Flatten", x, to="flat"), "head", 175, 4), 2)


def norms() -> onnx.ModelProto:
    g = Graph()
    x = g.relu(g.norm(g.conv("x", "first", (5, 3, 3, 2), bias=False), "first_norm", 5))
    x = g.relu(g.norm(g.conv(x, "second", (8, 5, 2, 3)), "second_norm", 8))
    x = g.node("ReduceMean", x, to="pooled", axes=[2, 3], keepdims=0)
    return g.model((2, 3, 8, 9), g.gemm(x, "out", 8, 6), 2)


def unet() -> onnx.ModelProto:
    g = Graph()
    x = g.conv("x", "down", (6, 2, 3, 3), bias=False, pads=[1, 1, 1, 1])
    skip = g.relu(g.norm(x, "norm", 6))
    x = g.node("MaxPool", skip, to="pool", kernel_shape=[2, 2], strides=[2, 2])
    x = g.transposed(g.relu(g.conv(x, "deep", (9, 6, 3, 3), pads=[1, 1, 1, 1])), "up", (9, 5, 2, 2), [2, 2])
    x = g.conv(g.node("Concat", skip, x, to="joined", axis=1), "mask", (3, 11, 1, 1))
    return g.model((2, 2, 12, 8), g.transposed(x, "wide", (3, 4, 3, 2), [1, 1]), 4)


def _recurrent(
    g: Graph, x: str, name: str, op: str, sizes: tuple[int, int, int, int], **settings: Any
) -> str:
    directions, gates, features, hidden = sizes
    weights = [
        g.weight(f"{name}.W", directions, gates * hidden, features),
        g.weight(f"{name}.R", directions, gates * hidden, hidden),
        g.weight(f"{name}.B", directions, 2 * gates * hidden),
    ]
    y = g.node(op, x, *weights, to=f"{name}.steps", hidden_size=hidden, **settings)
    y = g.node("Transpose", y, to=f"{name}.turned", perm=[0, 2, 1, 3])  # T dir N h -> T N dir h
    return g.node("Reshape", y, g.numbers(f"{name}.shape", 0, 0, -1), to=name)


def recurrent() -> onnx.ModelProto:
    g = Graph()
    x = g.node("Transpose", "x", to="steps", perm=[1, 0, 2])
    x = _recurrent(g, x, "both", "LSTM", (2, 4, 6, 4), direction="bidirectional")
    x = _recurrent(g, x, "gru", "GRU", (1, 3, 8, 7), linear_before_reset=1)
    return g.model((2, 5, 6), g.linear(g.node("Transpose", x, to="batches", perm=[1, 0, 2]), "out", 7, 3), 3)


def attention() -> onnx.ModelProto:
    g = Graph()
    g.numbers("split", 2, 5, 3, 4)
    g.numbers("merged", 2, 5, 12)
    heads = {}
    for name, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        y = g.linear("x", f"attention.{name}", 12, 12)
        y = g.node("Reshape", y, "split", to=f"{name}.heads")
        heads[name] = g.node("Transpose", y, to=f"{name}.turned", perm=perm)
    scores = g.node("MatMul", heads["query"], heads["key"], to="scores")
    g.tensors.append(numpy_helper.from_array(np.float32(0.5), "scale"))
    scores = g.node("Softmax", g.node("Mul", scores, "scale", to="scaled"), to="shares", axis=-1)
    y = g.node("MatMul", scores, heads["value"], to="mixed")
    y = g.node("Reshape", g.node("Transpose", y, to="back", perm=[0, 2, 1, 3]), "merged", to="joined")
    x = g.node("Add", "x", g.linear(y, "attention.out", 12, 12), to="residual")
    weights = [g.weight(f"norm.{role}", 12) for role in ("weight", "bias")]
    x = g.node("LayerNormalization", x, *weights, to="norm", axis=-1, epsilon=1e-4)
    return g.model((2, 5, 12), g.linear(x, "out", 12, 5), 3)


def grouped() -> onnx.ModelProto:
    g = Graph()
    x = g.relu(g.conv("x", "first", (12, 2, 3), group=3))
    x = g.relu(g.conv(x, "second", (8, 3, 2), group=4))
    return g.model((2, 6, 11), g.conv(x, "out", (5, 8, 1)), 3)


NETWORKS: dict[str, Any] = {
    "cnn": cnn, "depthwise": depthwise, "norms": norms, "unet": unet, "recurrent": recurrent,
    "attention": attention, "grouped": grouped,
}  # fmt: skip
