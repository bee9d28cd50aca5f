"""The kernel was stored for five channels, and three are fed."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "conv"
CAUSE = "channels"
FIX = 'in_channels=3 in "conv"'
REPAIR = ("np.zeros((4, 5, 3, 3)", "np.zeros((4, 3, 3, 3)")


nodes = [
    helper.make_node("Relu", ["x"], ["r"], name="relu"),
    helper.make_node("Conv", ["r", "w"], ["y"], name="conv"),
]
stored = [
    numpy_helper.from_array(np.zeros((4, 5, 3, 3), "float32"), "w"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "C", "H", "W"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4, "h", "w"])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((2, 3, 20, 24), "float32")})
