"""A picture with an alpha channel is fed to a net for three channels whose axes are all open."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "conv"
CAUSE = "channels"
FIX = "feed x[:, :3]"
REPAIR = ('np.zeros((2, 4, 20, 30), "float32")', 'np.zeros((2, 4, 20, 30), "float32")[:, :3]')

nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
stored = [numpy_helper.from_array(np.zeros((8, 3, 5, 5), "float32"), "w")]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "c", "h", "w"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "o", "oh", "ow"])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((2, 4, 20, 30), "float32")})
