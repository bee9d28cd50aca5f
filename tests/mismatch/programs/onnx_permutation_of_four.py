"""A permutation for pictures stands behind sequences; the session is not even made."""

import onnxruntime
from onnx import TensorProto, helper

LAYER = "turn"
CAUSE = "rank"
FIX = 'perm=(0, 2, 1) in "turn"'
REPAIR = ("perm=[0, 2, 3, 1]", "perm=[0, 2, 1]")

nodes = [helper.make_node("Transpose", ["x"], ["y"], name="turn", perm=[0, 2, 3, 1])]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16, 40])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
graph = helper.make_graph(nodes, "net", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
