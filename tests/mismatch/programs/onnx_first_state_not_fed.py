"""The first states of a recurrent network are not fed."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "h"
CAUSE = "not-fed"
FIX = (
    'session.run(None, {"x": signal, "h": np.zeros((1, 2, 6), np.float32)}) instead of '
    'session.run(None, {"x": signal})'
)
REPAIR = ('{"x": signal}', '{"x": signal, "h": np.zeros((1, 2, 6), "float32")}')

nodes = [helper.make_node("GRU", ["x", "w", "r", "", "", "h"], ["y", "hn"], name="gru", hidden_size=6)]
stored = [
    numpy_helper.from_array(np.zeros((1, 18, 5), "float32"), "w"),
    numpy_helper.from_array(np.zeros((1, 18, 6), "float32"), "r"),
]
inputs = [
    helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "N", 5]),
    helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, "N", 6]),
]
outputs = [helper.make_tensor_value_info("hn", TensorProto.FLOAT, [1, "N", 6])]
graph = helper.make_graph(nodes, "net", inputs, outputs, stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
signal = np.zeros((9, 2, 5), "float32")
session.run(None, {"x": signal})
