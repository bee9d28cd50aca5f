"""The exporter wrote a batch of one into a reshape."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "flat"
CAUSE = "baked-code"
FIX = 'shape=(-1, 784) in "flat"'
REPAIR = ("np.array([1, 784])", "np.array([-1, 784])")


nodes = [
    helper.make_node("Reshape", ["x", "s"], ["r"], name="flat"),
    helper.make_node("MatMul", ["r", "g"], ["y"], name="fc"),
]
stored = [
    numpy_helper.from_array(np.array([1, 784]), "s"),
    numpy_helper.from_array(np.zeros((784, 10), "float32"), "g"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 28, 28])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((4, 28, 28), "float32")})
