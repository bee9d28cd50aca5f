"""A text encoder as an ONNX graph: ids and a mask of a fixed length, with a pooled sentence."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

vocab = {w: i for i, w in enumerate(["[pad]", "[cls]", "[sep]", "a", "dog", "sat", "on", "the", "mat"])}
MAX_LEN = 8
DIM = 10
LABELS = 3
rng = np.random.default_rng(1)


def const(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def build():
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"], name="embed"),
        helper.make_node("Add", ["tokens", "positions"], ["x"], name="add_positions"),
        helper.make_node("MatMul", ["x", "w_q"], ["h"], name="project"),
        helper.make_node("Cast", ["attention_mask"], ["mask_f"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask_f", "last"], ["mask_u"], name="unsqueeze"),
        helper.make_node("Mul", ["h", "mask_u"], ["masked"], name="mask"),
        helper.make_node("ReduceMean", ["masked"], ["pooled"], name="pool", axes=[1], keepdims=0),
        helper.make_node("Gemm", ["pooled", "w_c"], ["label"], name="classifier"),
    ]
    f32 = np.float32
    initializers = [
        const("table", rng.normal(size=(len(vocab), DIM)).astype(f32)),
        const("positions", rng.normal(size=(1, MAX_LEN, DIM)).astype(f32)),
        const("w_q", rng.normal(size=(DIM, 14)).astype(f32)),
        const("w_c", rng.normal(size=(14, LABELS)).astype(f32)),
        const("last", np.array([2], dtype=np.int64)),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["N", MAX_LEN])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["N", MAX_LEN])
    out = helper.make_tensor_value_info("label", TensorProto.FLOAT, ["N", LABELS])
    graph = helper.make_graph(nodes, "encoder", [ids, mask], [out], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def tokenize(text, max_length=MAX_LEN):
    ids = [vocab["[cls]"]] + [vocab[w] for w in text.split()] + [vocab["[sep]"]]
    mask = [1] * len(ids)
    padding = max_length - len(ids)
    return ids + [0] * padding, mask + [0] * padding


session = ort.InferenceSession(build().SerializeToString())
texts = ["a dog sat on the mat", "the dog sat"]
pairs = [tokenize(t) for t in texts]
feed = {
    "input_ids": np.array([ids for ids, _ in pairs], dtype=np.int64),
    "attention_mask": np.array([mask for _, mask in pairs], dtype=np.int64),
}
(label,) = session.run(["label"], feed)
print("label", label.shape)
