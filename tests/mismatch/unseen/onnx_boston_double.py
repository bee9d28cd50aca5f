# House prices: a regression network as an ONNX file, with the scaler in front.
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def build(path, features=13, hidden=64):
    rng = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Sub", ["dense_input", "mean"], ["centered"], name="center"),
        helper.make_node("Div", ["centered", "std"], ["scaled"], name="scale"),
        helper.make_node("Gemm", ["scaled", "w1", "b1"], ["h1"], name="dense"),
        helper.make_node("Relu", ["h1"], ["a1"]),
        helper.make_node("Gemm", ["a1", "w2", "b2"], ["h2"], name="dense_1"),
        helper.make_node("Relu", ["h2"], ["a2"]),
        helper.make_node("Gemm", ["a2", "w3", "b3"], ["price"], name="dense_2"),
    ]
    std = numpy_helper.from_array(np.ones(features, np.float32), "std")
    graph = helper.make_graph(
        nodes,
        "boston",
        [helper.make_tensor_value_info("dense_input", TensorProto.FLOAT, ["N", features])],
        [helper.make_tensor_value_info("price", TensorProto.FLOAT, ["N", 1])],
        [weight("mean", features), std, weight("w1", features, hidden), weight("b1", hidden),
         weight("w2", hidden, 32), weight("b2", 32), weight("w3", 32, 1), weight("b3", 1)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def load_table(rows):
    """A table as pandas gives it."""
    return np.random.default_rng(1).random((rows, 13)) * 100


with tempfile.TemporaryDirectory() as folder:
    temp_model_file = os.path.join(folder, "model.onnx")
    build(temp_model_file)
    sess = onnxruntime.InferenceSession(temp_model_file, providers=["CPUExecutionProvider"])
    x = load_table(21)
    x = x if isinstance(x, list) else [x]
    feed = dict([(input.name, x[n]) for n, input in enumerate(sess.get_inputs())])
    prices = sess.run(None, feed)[0]
    print(prices.shape, float(prices.mean()))
