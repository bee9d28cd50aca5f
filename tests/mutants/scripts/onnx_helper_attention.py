"""Self-attention over tokens, built with onnx's helper from a configuration, checked and run."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

VOCAB = 30
HIDDEN = 24
HEADS = 3
LENGTH = 10
LABELS = 5
rng = np.random.default_rng(1)


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def matrix(name, rows, columns):
    return constant(name, rng.normal(size=(rows, columns)).astype(np.float32))


def projection(name, source):
    """MatMul, Add, and the split into heads."""
    nodes = [
        helper.make_node("MatMul", [source, f"{name}_w"], [f"{name}_m"], name=f"{name}_matmul"),
        helper.make_node("Add", [f"{name}_m", f"{name}_b"], [f"{name}_a"], name=f"{name}_add"),
        helper.make_node("Reshape", [f"{name}_a", "split"], [f"{name}_r"], name=f"{name}_split"),
        helper.make_node("Transpose", [f"{name}_r"], [name], name=f"{name}_heads", perm=[0, 2, 1, 3]),
    ]
    bias = constant(f"{name}_b", np.zeros(HIDDEN, np.float32))
    return nodes, [matrix(f"{name}_w", HIDDEN, HIDDEN), bias]


def build():
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["emb"], name="embedding", axis=0),
        helper.make_node("Add", ["emb", "positions"], ["x"], name="add_positions"),
    ]
    weights = [
        matrix("table", VOCAB, HIDDEN),
        constant("positions", rng.normal(size=(1, LENGTH, HIDDEN)).astype(np.float32)),
        constant("split", np.array([0, LENGTH, HEADS, HIDDEN // HEADS], np.int64)),
        constant("merge", np.array([0, LENGTH, HIDDEN], np.int64)),
        constant("scale", np.float32((HIDDEN // HEADS) ** 0.5)),
        matrix("head_w", HIDDEN, LABELS),
    ]
    for name in ("q", "k", "v"):
        more, inits = projection(name, "x")
        nodes += more
        weights += inits
    nodes += [
        helper.make_node("Transpose", ["k"], ["kt"], name="transpose_k", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "kt"], ["raw"], name="scores"),
        helper.make_node("Div", ["raw", "scale"], ["scaled"], name="scale_scores"),
        helper.make_node("Add", ["scaled", "mask"], ["masked"], name="apply_mask"),
        helper.make_node("Softmax", ["masked"], ["attention"], name="softmax", axis=-1),
        helper.make_node("MatMul", ["attention", "v"], ["mixed"], name="context"),
        helper.make_node("Transpose", ["mixed"], ["mixed_t"], name="merge_heads", perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["mixed_t", "merge"], ["joined"], name="merge_reshape"),
        helper.make_node("MatMul", ["joined", "head_w"], ["labels"], name="head"),
    ]
    graph = helper.make_graph(
        nodes,
        "attention",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", LENGTH]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", 1, 1, LENGTH]),
        ],
        [helper.make_tensor_value_info("labels", TensorProto.FLOAT, ["batch", LENGTH, LABELS])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def pad(tokens):
    return tokens[:LENGTH] + [0] * (LENGTH - len(tokens))


model = build()
onnx.checker.check_model(model)
session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
sentences = [[3, 8, 2], [7, 7, 1, 9, 14], [29, 4]]
ids = np.array([pad(s) for s in sentences], dtype=np.int64)
mask = np.where(ids == 0, -1e4, 0.0).astype(np.float32)[:, None, None, :]
labels = session.run(["labels"], {"ids": ids, "mask": mask})[0]
tags = labels.argmax(axis=-1)
print("labels", labels.shape, "tags", tags.shape)
