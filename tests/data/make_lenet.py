"""Writes lenet.onnx, the small network that the examples show: LeNet-5 on 32 by 32 digits.

Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, with
max pooling and ReLU as it is usually built today. The weights are random.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def main() -> None:
    """Build the graph layer by layer and save it beside this script."""
    rng = np.random.default_rng(5)
    nodes, weights = [], []

    def weight(name: str, *shape: int) -> str:
        values = rng.standard_normal(shape, dtype=np.float32) / np.sqrt(np.prod(shape[1:]) or 1)
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(op: str, name: str, inputs: list[str], output: str, **attributes: object) -> None:
        nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))

    node("Conv", "conv1", ["image", weight("conv1.weight", 6, 1, 5, 5), weight("conv1.bias", 6)], "c1")
    node("Relu", "relu1", ["c1"], "r1")
    node("MaxPool", "pool1", ["r1"], "p1", kernel_shape=[2, 2], strides=[2, 2])
    node("Conv", "conv2", ["p1", weight("conv2.weight", 16, 6, 5, 5), weight("conv2.bias", 16)], "c2")
    node("Relu", "relu2", ["c2"], "r2")
    node("MaxPool", "pool2", ["r2"], "p2", kernel_shape=[2, 2], strides=[2, 2])
    node("Flatten", "flatten", ["p2"], "f")
    sizes = (400, 120, 84, 10)
    value = "f"
    for index, (into, out) in enumerate(pairwise(sizes), start=1):
        parts = [value, weight(f"fc{index}.weight", out, into), weight(f"fc{index}.bias", out)]
        value = "scores" if index == 3 else f"g{index}"
        node("Gemm", f"fc{index}", parts, value, transB=1)
        if index < 3:
            node("Relu", f"relu{index + 2}", [value], f"a{index}")
            value = f"a{index}"
    graph = helper.make_graph(
        nodes,
        "lenet",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, Path(__file__).with_name("lenet.onnx"))


if __name__ == "__main__":
    main()
