"""A picture read with OpenCV has its channels last."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "x"
CAUSE = "channels-last"
FIX = "feed picture.transpose(0, 3, 1, 2)"
REPAIR = ('{"x": picture}', '{"x": picture.transpose(0, 3, 1, 2)}')


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
picture = np.zeros((1, 24, 32, 3), "float32")
session.run(None, {"x": picture})
