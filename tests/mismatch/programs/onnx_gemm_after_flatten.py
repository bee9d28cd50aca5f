"""A model with open sizes has a matrix that fits one of them."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "fc"
CAUSE = "input-size"
FIX = "feed 12×12"
REPAIR = ("20, 20", "12, 12")


nodes = [
    helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
    helper.make_node("Flatten", ["c"], ["f"], name="flatten"),
    helper.make_node("Gemm", ["f", "g"], ["y"], name="fc"),
]
stored = [
    numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w"),
    numpy_helper.from_array(np.zeros((400, 10), "float32"), "g"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "H", "W"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((2, 3, 20, 20), "float32")})
