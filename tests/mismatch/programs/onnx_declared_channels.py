"""The file declares an output that its layers contradict."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYER = "conv"
CAUSE = "contract"
FIX = 'declare "y" as (1, 4, 22, 30)'
REPAIR = ("[1, 5, 22, 30]", "[1, 4, 22, 30]")


nodes = [
    helper.make_node("Conv", ["x", "w"], ["y"], name="conv"),
]
stored = [
    numpy_helper.from_array(np.zeros((4, 3, 3, 3), "float32"), "w"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 24, 32])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, 22, 30])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
