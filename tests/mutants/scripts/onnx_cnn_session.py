"""A classifier built with onnx's helper and run by onnxruntime on prepared pictures."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 24, 32
CLASSES = 6
rng = np.random.default_rng(0)


def weight(name, *shape):
    return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)


def build_model():
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], name="pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], name="conv2", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["c2"], ["flat"], name="flatten", axis=1),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["logits"], name="fc", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [weight("w1", 5, 3, 3, 3), weight("b1", 5), weight("w2", 7, 5, 3, 3),
         weight("w3", CLASSES, 7 * 6 * 8), weight("b3", CLASSES)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def preprocess(picture):
    picture = picture[:HEIGHT, :WIDTH] / 255.0
    picture = (picture - np.array([0.48, 0.45, 0.41])) / np.array([0.23, 0.22, 0.23])
    return picture.transpose(2, 0, 1)[np.newaxis].astype(np.float32)


session = ort.InferenceSession(build_model().SerializeToString())
picture = rng.integers(0, 255, (30, 40, 3))
feeds = {session.get_inputs()[0].name: preprocess(picture)}
logits = session.run(None, feeds)[0]
batch = np.concatenate([preprocess(picture), preprocess(picture[::-1])])
more = session.run(["logits"], {"image": batch})[0]
print("logits", logits.shape, more.shape)
