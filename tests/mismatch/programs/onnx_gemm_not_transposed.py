"""A weight was copied from torch, outputs first, into a Gemm that reads inputs first."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYER = "fc"
CAUSE = "stored-transposed"
FIX = 'the weight of "fc" transposed (transB of a Gemm)'
REPAIR = ('name="fc")', 'name="fc", transB=1)')

nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="fc")]
stored = [
    numpy_helper.from_array(np.zeros((10, 64), "float32"), "w"),
    numpy_helper.from_array(np.zeros((10,), "float32"), "b"),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])
graph = helper.make_graph(nodes, "net", [x], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
