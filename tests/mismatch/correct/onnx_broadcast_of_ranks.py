"""A bias of one axis is added to a picture with the channels last."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

b = numpy_helper.from_array(np.zeros(5, "float32"), "b")
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 7, 9, 5])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 7, 9, 5])
graph = helper.make_graph([helper.make_node("Add", ["x", "b"], ["y"])], "net", [x], [y], [b])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
assert session.run(None, {"x": np.zeros((3, 7, 9, 5), "float32")})[0].shape == (3, 7, 9, 5)
