"""The output is declared as a picture, and a pool over all pixels and a flatten make a row of it."""

import onnx
from onnx import TensorProto, helper

LAYER = "flatten"
CAUSE = "contract"
FIX = 'declare "y" as (2, 3)'
REPAIR = ("[2, 3, 1, 1]", "[2, 3]")

nodes = [
    helper.make_node("GlobalAveragePool", ["x"], ["p"], name="pool"),
    helper.make_node("Flatten", ["p"], ["y"], name="flatten"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 8, 10])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 1, 1])
model = helper.make_model(
    helper.make_graph(nodes, "net", [x], [y]), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
)
onnx.checker.check_model(model, full_check=True)
