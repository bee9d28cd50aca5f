"""A shape that the file declares for a value between two layers is that of another input size."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYER = "conv1"
CAUSE = "contract"
FIX = 'declare "hidden" as (1, 4, 10, 14)'
REPAIR = ("[1, 4, 12, 16]", "[1, 4, 10, 14]")

nodes = [
    helper.make_node("Conv", ["x", "w"], ["hidden"], name="conv1"),
    helper.make_node("Relu", ["hidden"], ["y"], name="act"),
]
w = numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w")
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 16])
hidden = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [1, 4, 12, 16])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, None, None])
graph = helper.make_graph(nodes, "net", [x], [y], [w], value_info=[hidden])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.shape_inference.infer_shapes(model, strict_mode=True)
