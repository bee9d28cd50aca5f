"""A picture is bound without a batch axis."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "x"
CAUSE = "no-batch"
FIX = (
    'binding.bind_cpu_input("x", np.expand_dims(picture, 0)) instead of binding.bind_cpu_input("x", picture)'
)
REPAIR = ('"x", picture', '"x", picture[None]')

nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
stored = [numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w")]
inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 24, 32])]
outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4, 22, 30])]
graph = helper.make_graph(nodes, "net", inputs, outputs, stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
picture = np.zeros((3, 24, 32), "float32")
binding = session.io_binding()
binding.bind_cpu_input("x", picture)
binding.bind_output("y")
session.run_with_iobinding(binding)
