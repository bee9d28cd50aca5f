"""The mask was padded to another length than the words."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "masked"
CAUSE = "length"
FIX = "feed mask[:2, :12]"
REPAIR = ("np.ones((2, 16)", "np.ones((2, 12)")

nodes = [
    helper.make_node("Gather", ["table", "words"], ["e"], name="embed"),
    helper.make_node("ReduceMean", ["e"], ["s"], name="score", axes=[2], keepdims=0),
    helper.make_node("Add", ["s", "mask"], ["y"], name="masked"),
]
stored = [numpy_helper.from_array(np.zeros((90, 32), "float32"), "table")]
words = helper.make_tensor_value_info("words", TensorProto.INT64, ["n", "t"])
mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", "m"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "t"])
graph = helper.make_graph(nodes, "net", [words, mask], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"words": np.zeros((2, 12), "int64"), "mask": np.ones((2, 16), "float32")})
