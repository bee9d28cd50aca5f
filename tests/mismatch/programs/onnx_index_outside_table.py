"""The tokenizer knows a word more than the table of embeddings."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LAYER = "embed"
CAUSE = "index-range"
FIX = 'num_embeddings=101 in "embed"'
REPAIR = ("np.zeros((100, 32)", "np.zeros((101, 32)")

nodes = [helper.make_node("Gather", ["table", "words"], ["y"], name="embed")]
stored = [numpy_helper.from_array(np.zeros((100, 32), "float32"), "table")]
words = helper.make_tensor_value_info("words", TensorProto.INT64, ["n", "t"])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "t", 32])
graph = helper.make_graph(nodes, "net", [words], [y], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
session.run(None, {"words": np.array([[5, 100, 7]], "int64")})
