"""A voice detector kept as an ONNX LSTM, fed chunk by chunk with its states."""
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

CHUNK = 12
FEATURES = 6
HIDDEN = 8
rng = np.random.default_rng(3)


def init(name, *shape):
    return numpy_helper.from_array((rng.normal(size=shape) * 0.1).astype(np.float32), name)


def build():
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["y", "hn", "cn"], name="lstm", hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["y", "one"], ["ys"], name="squeeze"),
        helper.make_node("MatMul", ["ys", "w_out"], ["raw"], name="project"),
        helper.make_node("Sigmoid", ["raw"], ["prob"], name="sigmoid"),
    ]
    value = helper.make_tensor_value_info
    inputs = [
        value("x", TensorProto.FLOAT, [CHUNK, "batch", FEATURES]),
        value("h", TensorProto.FLOAT, [1, "batch", HIDDEN]),
        value("c", TensorProto.FLOAT, [1, "batch", HIDDEN]),
    ]
    outputs = [value(n, TensorProto.FLOAT, None) for n in ("prob", "hn", "cn")]
    weights = [
        init("W", 1, 4 * HIDDEN, FEATURES), init("R", 1, 4 * HIDDEN, HIDDEN), init("B", 1, 8 * HIDDEN),
        init("w_out", HIDDEN, 2), numpy_helper.from_array(np.array([1]), "one"),
    ]
    graph = helper.make_graph(nodes, "vad", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


class Detector:
    def __init__(self):
        self.session = ort.InferenceSession(build().SerializeToString())
        self.reset()

    def reset(self, batch=1):
        self.h = np.zeros((1, batch, HIDDEN), dtype=np.float32)
        self.c = np.zeros((1, batch, HIDDEN), dtype=np.float32)

    def __call__(self, chunk):
        x = chunk.reshape(CHUNK, 1, FEATURES).astype(np.float32)
        prob, self.h, self.c = self.session.run(None, {"x": x, "h": self.h, "c": self.c})
        return prob[:, 0]


audio = rng.normal(size=CHUNK * FEATURES * 3)
detector = Detector()
probs = [detector(audio[i : i + CHUNK * FEATURES]) for i in range(0, len(audio), CHUNK * FEATURES)]
print("probs", np.concatenate(probs).shape, "state", detector.h.shape)
