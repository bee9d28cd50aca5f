"""The tokens of one sentence are fed as vectors of another dtype."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "ids"
CAUSE = "no-batch"
FIX = (
    "session.run(None, {name: np.expand_dims(array, 0).astype(np.int32) for name, array in "
    "encoded.items()}) instead of session.run(None, encoded)"
)
REPAIR = ("np.array(tokens)", "np.array([tokens], np.int32)")

nodes = [
    helper.make_node("Gather", ["words", "ids"], ["e"], name="embed"),
    helper.make_node("Gather", ["parts", "segments"], ["s"], name="segment"),
    helper.make_node("Add", ["e", "s"], ["y"], name="sum"),
]
stored = [
    numpy_helper.from_array(np.zeros((30, 6), "float32"), "words"),
    numpy_helper.from_array(np.zeros((2, 6), "float32"), "parts"),
]
inputs = [helper.make_tensor_value_info(name, TensorProto.INT32, ["N", "T"]) for name in ("ids", "segments")]
outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "T", 6])]
graph = helper.make_graph(nodes, "net", inputs, outputs, stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
sentence = {"ids": [5, 9, 2, 7], "segments": [0, 0, 1, 1]}
encoded = {name: np.array(tokens) for name, tokens in sentence.items()}
session.run(None, encoded)
