"""The model declares one picture size, and another is fed."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "x"
CAUSE = "feed"
FIX = "feed x of shape (1, 3, 24, 32)"
REPAIR = ("20, 20", "24, 32")


nodes = [
    helper.make_node("Conv", ["x", "w"], ["y"], name="conv"),
]
stored = [
    numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 24, 32])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 22, 30])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((1, 3, 20, 20), "float32")})
