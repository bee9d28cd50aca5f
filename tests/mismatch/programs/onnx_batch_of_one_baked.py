"""A network exported for one picture is fed five."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "x"
CAUSE = "baked"
FIX = (
    '[np.concatenate(parts) for parts in zip(*(session.run(None, {"x": pictures[n:n + 1]}) for n in '
    'range(len(pictures))))] instead of session.run(None, {"x": pictures})'
)
REPAIR = ('{"x": pictures}', '{"x": pictures[:1]}')

nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
stored = [numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w")]
inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 24, 32])]
outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 22, 30])]
graph = helper.make_graph(nodes, "net", inputs, outputs, stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
pictures = np.zeros((5, 3, 24, 32), "float32")
session.run(None, {"x": pictures})
