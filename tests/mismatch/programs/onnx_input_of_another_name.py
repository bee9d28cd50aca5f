"""The input is fed under the name that another model has for it."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "images"
CAUSE = "misnamed"
FIX = (
    'session.run(None, {"images": np.zeros((2, 3, 20, 24), "float32")}) instead of '
    'session.run(None, {"input": np.zeros((2, 3, 20, 24), "float32")})'
)
REPAIR = ('{"input": np', '{"images": np')

nodes = [helper.make_node("Conv", ["images", "w"], ["y"], name="conv")]
stored = [numpy_helper.from_array(np.zeros((4, 3, 5, 5), "float32"), "w")]
images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, "oh", "ow"])
graph = helper.make_graph(nodes, "net", [images], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"input": np.zeros((2, 3, 20, 24), "float32")})
