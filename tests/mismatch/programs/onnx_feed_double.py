"""NumPy makes double numbers, and the model takes single ones."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

LAYER = "x"
CAUSE = "dtype"
FIX = "feed np.zeros((2, 3)).astype(np.float32)"
REPAIR = ("np.zeros((2, 3))", "np.zeros((2, 3), np.float32)")

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name="act")], "net", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((2, 3))})
