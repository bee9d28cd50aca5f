"""A residual network and a recurrent head written node by node; shapes are inferred before it is run."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(2)
CONFIG = {"height": 16, "width": 40, "channels": [5, 8, 11], "hidden": 9, "symbols": 7}


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, name, *shape):
        values = rng.normal(scale=0.1, size=shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def ints(self, name, values):
        self.weights.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name

    def add(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x, c_in, c_out, name, stride=1, kernel=3):
        w = self.weight(f"{name}.w", c_out, c_in, kernel, kernel)
        b = self.weight(f"{name}.b", c_out)
        pad = kernel // 2
        return self.add("Conv", [x, w, b], name, pads=[pad] * 4, strides=[stride, stride])

    def block(self, x, c_in, c_out, name):
        y = self.add("Relu", [self.conv(x, c_in, c_out, f"{name}.conv1", stride=2)], f"{name}.relu1")
        y = self.conv(y, c_out, c_out, f"{name}.conv2")
        skip = self.conv(x, c_in, c_out, f"{name}.skip", stride=2, kernel=1)
        y = self.add("Add", [y, skip], f"{name}.add")
        return self.add("Relu", [y], f"{name}.relu2")


def build(config):
    g = Graph()
    first, *rest = config["channels"]
    x = g.conv("image", 1, first, "stem")
    c_in = first
    for index, c_out in enumerate(rest):
        x = g.block(x, c_in, c_out, f"block{index}")
        c_in = c_out
    rows = config["height"] // 2 ** len(rest)
    columns = config["width"] // 2 ** len(rest)
    x = g.add("Transpose", [x], "by_column", perm=[3, 0, 1, 2])
    x = g.add("Reshape", [x, g.ints("flat", [columns, -1, c_in * rows])], "features")
    hidden = config["hidden"]
    w = g.weight("gru.w", 1, 3 * hidden, c_in * rows)
    r = g.weight("gru.r", 1, 3 * hidden, hidden)
    g.nodes.append(helper.make_node("GRU", [x, w, r], ["steps"], name="gru", hidden_size=hidden))
    x = g.add("Squeeze", ["steps", g.ints("direction", [1])], "squeezed")
    x = g.add("MatMul", [x, g.weight("head.w", hidden, config["symbols"])], "head")
    x = g.add("LogSoftmax", [x], "scores", axis=-1)
    info = helper.make_tensor_value_info
    image = info("image", TensorProto.FLOAT, ["batch", 1, config["height"], config["width"]])
    scores = info(x, TensorProto.FLOAT, [columns, "batch", config["symbols"]])
    graph = helper.make_graph(g.nodes, "crnn", [image], [scores], g.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


model = onnx.shape_inference.infer_shapes(build(CONFIG), strict_mode=True)
session = ort.InferenceSession(model.SerializeToString())
name = session.get_inputs()[0].name
lines = rng.integers(0, 255, (6, CONFIG["height"], CONFIG["width"])).astype(np.float32) / 255.0
images = lines[:, np.newaxis]
scores = session.run(None, {name: images})[0]
best = scores.argmax(axis=2).T
print("scores", scores.shape, "best", best.shape)
