"""A model with open sizes runs at two of them."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "H", "W"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4, "h", "w"])
stored = [numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w")]
graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
for size in ((9, 11), (20, 7)):
    (out,) = session.run(None, {"x": np.zeros((1, 3, *size), "float32")})
    assert out.shape == (1, 4, size[0] - 2, size[1] - 2)
