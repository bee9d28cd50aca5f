"""The picture is flattened before it is fed."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "picture"
CAUSE = "feed"
FIX = 'feed np.zeros((2, 240), "float32").reshape(2, 3, 8, 10)'
REPAIR = ("(2, 240)", "(2, 3, 8, 10)")

w = numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w")
x = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [2, 3, 8, 10])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4, 6, 8])
graph = helper.make_graph(
    [helper.make_node("Conv", ["picture", "w"], ["y"], name="conv")], "net", [x], [y], [w]
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"picture": np.zeros((2, 240), "float32")})
