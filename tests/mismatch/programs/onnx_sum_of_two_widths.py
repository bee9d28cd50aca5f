"""A residual of 6 channels is added to 4."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYER = "sum"
CAUSE = "broadcast"
FIX = 'out_channels=6 in "conv"'
REPAIR = ("np.zeros((4, 6, 1, 1)", "np.zeros((6, 6, 1, 1)")

nodes = [
    helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
    helper.make_node("Add", ["x", "c"], ["y"], name="sum"),
]
w = numpy_helper.from_array(np.zeros((4, 6, 1, 1), "float32"), "w")
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6, 8, 10])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 6, 8, 10])
graph = helper.make_graph(nodes, "net", [x], [y], [w])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.shape_inference.infer_shapes(model, strict_mode=True)
