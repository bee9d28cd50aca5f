"""A skip does not meet what was halved and doubled."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "join"
CAUSE = "rounding"
FIX = "feed 8×12 (multiples of 2 fit)"
REPAIR = ("7, 11", "8, 12")


nodes = [
    helper.make_node("MaxPool", ["x"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
    helper.make_node("ConvTranspose", ["p", "w"], ["u"], name="up", strides=[2, 2]),
    helper.make_node("Concat", ["x", "u"], ["y"], name="join", axis=1),
]
stored = [
    numpy_helper.from_array(np.zeros((3, 3, 2, 2), "float32"), "w"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "H", "W"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 6, "H", "W"])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"x": np.zeros((1, 3, 7, 11), "float32")})
