"""The states were made for one sample, and four are fed."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "lstm"
CAUSE = "state"
FIX = "feed h0 of shape (1, 4, 6) and c0 of shape (1, 4, 6)"
REPAIR = ("state = np.zeros((1, 1, 6)", "state = np.zeros((1, 4, 6)")

nodes = [
    helper.make_node("LSTM", ["x", "w", "r", "", "", "h0", "c0"], ["y"], name="lstm", hidden_size=6),
]
stored = [
    numpy_helper.from_array(np.zeros((1, 24, 8), "float32"), "w"),
    numpy_helper.from_array(np.zeros((1, 24, 6), "float32"), "r"),
]
fed = [
    helper.make_tensor_value_info("x", TensorProto.FLOAT, ["t", "n", 8]),
    helper.make_tensor_value_info("h0", TensorProto.FLOAT, [1, "m", 6]),
    helper.make_tensor_value_info("c0", TensorProto.FLOAT, [1, "m", 6]),
]
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["t", 1, "n", 6])
graph = helper.make_graph(nodes, "net", fed, [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
state = np.zeros((1, 1, 6), "float32")
session.run(None, {"x": np.zeros((7, 4, 8), "float32"), "h0": state, "c0": state})
