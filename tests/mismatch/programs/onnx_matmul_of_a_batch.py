"""A model of rows is fed pictures."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "x"
CAUSE = "not-flattened"
FIX = "feed pictures.reshape(*pictures.shape[:1], -1)"
REPAIR = ('{"x": pictures}', '{"x": pictures.reshape(6, -1)}')


nodes = [
    helper.make_node("MatMul", ["x", "g"], ["y"], name="fc"),
]
stored = [
    numpy_helper.from_array(np.zeros((784, 10), "float32"), "g"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 784])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
pictures = np.zeros((6, 28, 28), "float32")
session.run(None, {"x": pictures})
