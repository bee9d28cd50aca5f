# Estimates the age of brains from scans with an exported network.
import os

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

AGE_OFFSET = 22.0


def conv(rng, n_in, n_out, kernel=3):
    return (rng.standard_normal((n_out, n_in, kernel, kernel, kernel)) * (2 / (n_in * kernel**3)) ** 0.5).astype(
        "float32")


def export(path, shape=(24, 28, 20)):
    """Stands for the network that was converted from TensorFlow: scans as batch, x, y, z, channels."""
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("Transpose", ["input"], ["first"], perm=[0, 4, 1, 2, 3], name="to_channels_first")]
    weights, x, n_in = {}, "first", 1
    for i, n_out in enumerate((6, 8, 12)):
        weights[f"conv{i}/kernel"], weights[f"conv{i}/bias"] = conv(rng, n_in, n_out), np.zeros(n_out, "float32")
        nodes += [
            helper.make_node("Conv", [x, f"conv{i}/kernel", f"conv{i}/bias"], [f"c{i}"], pads=[1] * 6,
                             kernel_shape=[3] * 3, name=f"conv{i}"),
            helper.make_node("Relu", [f"c{i}"], [f"r{i}"], name=f"relu{i}"),
            helper.make_node("MaxPool", [f"r{i}"], [f"p{i}"], kernel_shape=[2] * 3, strides=[2] * 3, name=f"pool{i}"),
        ]
        x, n_in = f"p{i}", n_out
    n_flat = n_in * int(np.prod([s // 8 for s in shape]))
    weights["dense/kernel"] = (rng.standard_normal((n_flat, 1)) / n_flat**0.5).astype("float32")
    weights["dense/bias"] = np.zeros(1, "float32")
    nodes += [
        helper.make_node("Flatten", [x], ["flat"], axis=1, name="flatten"),
        helper.make_node("Gemm", ["flat", "dense/kernel", "dense/bias"], ["age"], name="dense"),
    ]
    graph = helper.make_graph(
        nodes, "brain_age",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *shape, 1])],
        [helper.make_tensor_value_info("age", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(v, k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with open(path, "wb") as f:
        f.write(model.SerializeToString())


def prepare_brains(path, n=3, shape=(24, 28, 20)):
    """What the preprocessing of the scans leaves: skulls stripped, one size."""
    rng = np.random.default_rng(1)
    brains = rng.random((n, *shape), dtype="float32")
    brains[:, :3], brains[:, -3:] = 0, 0
    np.save(path, brains)
    return rng.integers(25, 80, n)


class AgeEstimator:
    def __init__(self, path):
        self.session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.input_name = self.session.get_inputs()[0].name

    def normalize(self, brain):
        inside = brain[brain > 0]
        return np.where(brain > 0, (brain - inside.mean()) / inside.std(), 0).astype("float32")

    def predict(self, brain):
        x = self.normalize(brain)
        output = self.session.run(None, {self.input_name: x[np.newaxis]})[0]
        return float(output[0, 0]) + AGE_OFFSET


export("brain_age.onnx")
ages = prepare_brains("brains.npy")
brains = np.load("brains.npy")
os.remove("brains.npy")
estimator = AgeEstimator("brain_age.onnx")
for brain, age in zip(brains, ages):
    print("age", age, "estimated", round(estimator.predict(brain), 1))
