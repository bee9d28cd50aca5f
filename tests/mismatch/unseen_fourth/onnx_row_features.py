# A dense network over the rows of a table, converted to ONNX and compared with the predictions of the original.
import io

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

UNITS = 16


class DenseNetwork:
    """Two dense layers; stands for the Keras model with Input(shape=(None, 3))."""

    def __init__(self, n_features, units, seed=0):
        rng = np.random.default_rng(seed)
        self.w1 = rng.standard_normal((n_features, units)).astype("float32")
        self.b1 = np.zeros(units, "float32")
        self.w2 = rng.standard_normal((units, 2)).astype("float32")
        self.b2 = np.zeros(2, "float32")

    def predict(self, x):
        return np.tanh(x @ self.w1 + self.b1) @ self.w2 + self.b2


def from_keras(model):
    """The graph of the model: rows of three features, any number of them in a sample."""
    initializers = [numpy_helper.from_array(getattr(model, n), n) for n in ("w1", "b1", "w2", "b2")]
    nodes = [
        helper.make_node("MatMul", ["features", "w1"], ["dense/MatMul"], name="dense/MatMul"),
        helper.make_node("Add", ["dense/MatMul", "b1"], ["dense/BiasAdd"], name="dense/BiasAdd"),
        helper.make_node("Tanh", ["dense/BiasAdd"], ["dense/Tanh"], name="dense/Tanh"),
        helper.make_node("MatMul", ["dense/Tanh", "w2"], ["dense_1/MatMul"], name="dense_1/MatMul"),
        helper.make_node("Add", ["dense_1/MatMul", "b2"], ["scores"], name="dense_1/BiasAdd"),
    ]
    graph = helper.make_graph(
        nodes,
        "functional",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", "rows", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "rows", 2])],
        initializers,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(proto)
    return proto


def read_table(n):
    rng = np.random.default_rng(1)
    age, height, weight = rng.uniform(20, 60, n), rng.normal(172, 9, n), rng.normal(71, 12, n)
    table = np.stack([age, height, weight], axis=1)
    return ((table - table.mean(0)) / table.std(0)).astype("float32")


model = DenseNetwork(3, UNITS)
bites = io.BytesIO(from_keras(model).SerializeToString()).getvalue()
sess = ort.InferenceSession(bites, providers=["CPUExecutionProvider"])
input_names = [i.name for i in sess.get_inputs()]

num_rows = 5
inputs = [read_table(num_rows)]
native_prediction = model.predict(inputs[0])
input_dict = dict(zip(input_names, inputs))
onnx_prediction = sess.run(None, input_dict)[0]
print("equal", bool(np.allclose(native_prediction, onnx_prediction.reshape(native_prediction.shape), atol=1e-4)))
