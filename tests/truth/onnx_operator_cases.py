"""ONNX files of optimizers and of control flow, with what onnxruntime computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_onnx import BOOL, I32, I64, RNG, F, const, f32, held, node, weight, written


@case("onnx")
def branches(folder: Path) -> Iterator[Subject]:
    """`torch.squeeze` as old exporters write it: an If whose branches differ in rank."""
    from onnx import TensorProto, helper

    def branch(name: str, *nodes: Any) -> Any:
        return helper.make_graph(
            list(nodes),
            name,
            [],
            [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        )

    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["d1"], axis=0),
        node("Equal", ["d1", "one"], ["is1"]),
        node(
            "If",
            ["is1"],
            ["z"],
            then_branch=branch("t", node("Squeeze", ["x", "ax"], ["zt"])),
            else_branch=branch("e", node("Identity", ["x"], ["ze"])),
        ),
        node("Relu", ["z"], ["y"]),
    ]
    path = written(
        folder / "squeeze_if.onnx",
        nodes,
        {"x": (F, ["N", "C", 7])},
        ["y"],
        [const("one", 1), const("ax", [1])],
    )
    yield held(path, {"x": f32(2, 1, 7)}, only=[])
    yield held(path, {"x": f32(2, 3, 7)}, only=[])
    path = written(
        folder / "squeeze_fixed.onnx",
        nodes,
        {"x": (F, ["N", 1, 7])},
        ["y"],
        [const("one", 1), const("ax", [1])],
    )
    yield held(path, {"x": f32(2, 1, 7)}, only=["z", "y"])
    flag = [
        node(
            "If",
            ["f"],
            ["z"],
            then_branch=branch("t", node("MatMul", ["x", "w1"], ["zt0"]), node("Relu", ["zt0"], ["zt"])),
            else_branch=branch("e", node("MatMul", ["x", "w2"], ["ze0"]), node("Tanh", ["ze0"], ["ze"])),
        ),
        node("MatMul", ["z", "w3"], ["y"]),
    ]
    path = written(
        folder / "cache_if.onnx",
        flag,
        {"x": (F, ["N", "T", 6]), "f": (BOOL, [])},
        ["y"],
        [weight("w1", 6, 9), weight("w2", 6, 9), weight("w3", 9, 4)],
    )
    yield held(path, {"x": f32(2, 5, 6), "f": np.array(True)}, params=6 * 9 * 2 + 36)


@case("onnx")
def loops(folder: Path) -> Iterator[Subject]:
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            node("Identity", ["cond"], ["cond_out"]),
            node("MatMul", ["h", "w"], ["h1"]),
            node("Tanh", ["h1"], ["h_out"]),
            node("Identity", ["h_out"], ["scan"]),
        ],
        "body",
        [
            info("i", TensorProto.INT64, []),
            info("cond", TensorProto.BOOL, []),
            info("h", TensorProto.FLOAT, None),
        ],
        [
            info("cond_out", TensorProto.BOOL, []),
            info("h_out", TensorProto.FLOAT, None),
            info("scan", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        node("Loop", ["five", "true", "x"], ["last", "all"], body=body),
        node("Transpose", ["all"], ["y"], perm=[1, 0, 2]),
    ]
    weights = [weight("w", 6, 6), const("five", 5), const("true", True, "bool")]
    path = written(folder / "loop.onnx", nodes, {"x": (F, ["N", 6])}, ["y", "last"], weights)
    yield held(path, {"x": f32(3, 6)}, params=36, macs={"": 5 * 3 * 36})
    scan_body = helper.make_graph(
        [
            node("MatMul", ["x_t", "wi"], ["a"]),
            node("MatMul", ["h", "wh"], ["b"]),
            node("Add", ["a", "b"], ["c"]),
            node("Tanh", ["c"], ["h_out"]),
            node("Identity", ["h_out"], ["y_t"]),
        ],
        "cell",
        [info("h", TensorProto.FLOAT, None), info("x_t", TensorProto.FLOAT, None)],
        [info("h_out", TensorProto.FLOAT, None), info("y_t", TensorProto.FLOAT, None)],
    )
    nodes = [
        node("Scan", ["h0", "x"], ["hn", "ys"], body=scan_body, num_scan_inputs=1),
        node("MatMul", ["ys", "wo"], ["y"]),
    ]
    path = written(
        folder / "scan.onnx",
        nodes,
        {"x": (F, ["T", "N", 4]), "h0": (F, ["N", 5])},
        ["y", "hn"],
        [weight("wi", 4, 5), weight("wh", 5, 5), weight("wo", 5, 3)],
    )
    yield held(
        path, {"x": f32(7, 2, 4), "h0": f32(2, 5)}, params=20 + 25 + 15, macs={"": 7 * 2 * 45 + 7 * 2 * 15}
    )


@case("onnx")
def sequences(folder: Path) -> Iterator[Subject]:
    nodes = [
        node("SplitToSequence", ["x", "split"], ["seq"], axis=1),
        node("SequenceAt", ["seq", "i1"], ["a"]),
        node("SequenceInsert", ["seq", "a"], ["seq2"]),
        node("ConcatFromSequence", ["seq2"], ["y"], axis=1),
        node("SequenceLength", ["seq2"], ["n"]),
        node("SequenceConstruct", ["x", "x"], ["pair"]),
        node("ConcatFromSequence", ["pair"], ["z"], axis=0, new_axis=1),
    ]
    path = written(
        folder / "seq.onnx",
        nodes,
        {"x": (F, ["N", 9, 4])},
        ["y", "z"],
        [const("split", [2, 3, 4]), const("i1", 1)],
    )
    yield held(path, {"x": f32(2, 9, 4)}, only=["a", "y", "z"])


@case("onnx")
def spectra(folder: Path) -> Iterator[Subject]:
    nodes = [
        node("STFT", ["x", "hop", "window", "length"], ["s"], onesided=1),
        node("Slice", ["s", "zero", "one", "ax3"], ["re"]),
        node("Squeeze", ["re", "ax3"], ["r"]),
        node("Mul", ["r", "r"], ["pw"]),
        node("MatMul", ["pw", "mel"], ["m"]),
    ]
    weights = [
        const("hop", 40),
        const("length", 128),
        const("window", np.hanning(128), "float32"),
        const("zero", [0]),
        const("one", [1]),
        const("ax3", [3]),
        weight("mel", 65, 12),
    ]
    path = written(folder / "stft.onnx", nodes, {"x": (F, ["N", "L", 1])}, ["m"], weights)
    for length in (1000, 1280):
        yield held(path, {"x": f32(2, length, 1)})
    nodes = [node("DFT", ["x", "n"], ["d"], axis=1, onesided=1), node("DFT", ["d"], ["i"], axis=1, inverse=1)]
    path = written(folder / "dft.onnx", nodes, {"x": (F, ["N", "L", 1])}, ["i"], [const("n", 50)])
    yield held(path, {"x": f32(2, 33, 1)})
    nodes = [
        node("DFT", ["x", "", "ax"], ["d"], onesided=1),
        node("MelWeightMatrix", ["b", "l", "sr", "lo", "hi"], ["mw"]),
    ]
    weights = [
        const("ax", 1),
        const("b", 8),
        const("l", 64),
        const("sr", 8000),
        const("lo", 20.0, "float32"),
        const("hi", 4000.0, "float32"),
    ]
    path = written(folder / "dft20.onnx", nodes, {"x": (F, ["N", "L", 1])}, ["d", "mw"], weights, opset=20)
    yield held(path, {"x": f32(2, 33, 1)})


@case("onnx")
def bert_optimized(folder: Path) -> Iterator[Subject]:
    """What the transformer optimizer makes of an encoder layer."""
    ms = "com.microsoft"
    nodes = [
        node(
            "EmbedLayerNormalization",
            ["ids", "seg", "we", "pe", "se", "g", "b", "mask"],
            ["e", "mi"],
            ms,
            epsilon=1e-12,
        ),
        node("Attention", ["e", "wqkv", "bqkv", "mi"], ["at"], ms, num_heads=2),
        node("MatMul", ["at", "wo"], ["mo"]),
        node("SkipLayerNormalization", ["mo", "e", "g", "b", "bo"], ["sl"], ms, epsilon=1e-12),
        node("MatMul", ["sl", "wi"], ["mi1"]),
        node("BiasGelu", ["mi1", "bi"], ["bg"], ms),
        node("MatMul", ["bg", "wf"], ["mf"]),
        node("SkipLayerNormalization", ["mf", "sl", "g", "b", "bo"], ["out", "", "", "sumout"], ms),
        node("FusedMatMul", ["out", "out"], ["scores"], ms, transB=1, alpha=0.5),
        node("FastGelu", ["scores"], ["fg"], ms),
        node("QuickGelu", ["fg"], ["qg"], ms),
    ]
    weights = [
        weight("we", 30, 12),
        weight("pe", 20, 12),
        weight("se", 2, 12),
        weight("g", 12),
        weight("b", 12),
        weight("wqkv", 12, 36),
        weight("bqkv", 36),
        weight("wo", 12, 12),
        weight("bo", 12),
        weight("wi", 12, 40),
        weight("bi", 40),
        weight("wf", 40, 12),
    ]
    names = {"ids": (I32, ["batch", "seq"]), "seg": (I32, ["batch", "seq"]), "mask": (I32, ["batch", "seq"])}
    path = written(folder / "bert.onnx", nodes, names, ["qg"], weights, domains={ms: 1})
    ids = RNG.integers(0, 9, (2, 7)).astype("int32")
    yield held(
        path,
        {"ids": ids, "seg": ids % 2, "mask": np.ones_like(ids)},
        params=sum(int(np.prod(w.dims)) for w in weights),
    )


@case("onnx")
def llm_optimized(folder: Path) -> Iterator[Subject]:
    """A decoder layer: rotary positions, grouped queries with a cache, simplified norms, 4-bit matrices."""
    ms = "com.microsoft"
    nodes = [
        node("SimplifiedLayerNormalization", ["x", "g"], ["n1"], axis=-1, epsilon=1e-5),
        node("MatMul", ["n1", "wq"], ["q"]),
        node("MatMul", ["n1", "wk"], ["k"]),
        node("MatMul", ["n1", "wv"], ["v"]),
        node("RotaryEmbedding", ["q", "pos", "cos", "sin"], ["qr"], ms, num_heads=4),
        node(
            "GroupQueryAttention",
            ["q", "k", "v", "pk", "pv", "lens", "total", "cos", "sin"],
            ["a", "ck", "cv"],
            ms,
            num_heads=4,
            kv_num_heads=2,
            do_rotary=1,
        ),
        node("MatMulNBits", ["a", "wob", "wos"], ["o"], ms, K=64, N=24, bits=4, block_size=16),
        node("SkipSimplifiedLayerNormalization", ["o", "x", "g"], ["n2", "", "", "res"], ms, epsilon=1e-5),
        node("MatMulNBits", ["n2", "wub", "wus", "wuz"], ["u"], ms, K=24, N=40, bits=4, block_size=32),
        node("Add", ["u", "u"], ["y"]),
    ]
    u8 = lambda name, *shape: const(name, RNG.integers(0, 255, shape), "uint8")  # noqa: E731  # three words, used here only
    weights = [
        weight("g", 24),
        weight("wq", 24, 64),
        weight("wk", 24, 32),
        weight("wv", 24, 32),
        weight("cos", 70, 8),
        weight("sin", 70, 8),
        u8("wob", 24, 4, 8),
        weight("wos", 96),
        u8("wub", 40, 1, 16),
        weight("wus", 40),
        u8("wuz", 40),
    ]
    ins = {
        "x": (F, ["b", "s", 24]),
        "pos": (I64, ["b", "s"]),
        "pk": (F, ["b", 2, "past", 16]),
        "pv": (F, ["b", 2, "past", 16]),
        "lens": (I32, ["b"]),
        "total": (I32, []),
    }
    path = written(folder / "llm.onnx", nodes, ins, ["y", "ck", "cv", "res"], weights, domains={ms: 1})
    feed = {
        "x": f32(1, 5, 24),
        "pos": np.arange(5)[None],
        "pk": f32(1, 2, 0, 16),
        "pv": f32(1, 2, 0, 16),
        "lens": np.array([4], "int32"),
        "total": np.array(5, "int32"),
    }
    logical = 24 + 24 * 64 + 24 * 64 + 64 * 24 + 24 * 40
    yield held(path, feed, only=["n1", "q", "qr", "a", "o", "n2", "res", "u", "y"])
    # The tables of cosines and sines are buffers in the networks that are exported so, and no parameters.
    yield Subject("llm.onnx (weights)", path, params=logical)


@case("onnx")
def multi_head(folder: Path) -> Iterator[Subject]:
    ms = "com.microsoft"
    nodes = [
        node("MultiHeadAttention", ["q", "k", "v", "bias"], ["y"], ms, num_heads=3),
        node(
            "MultiHeadAttention", ["q", "k", "v", "", "", "", "pk", "pv"], ["z", "ck", "cv"], ms, num_heads=3
        ),
        node("Gelu", ["q"], ["g"], ms),
        node("NhwcMaxPool", ["u8"], ["mp"], ms, kernel_shape=[2, 3], strides=[2, 1], pads=[0, 1, 0, 1]),
    ]
    ins = {
        "q": (F, ["b", "s", 12]),
        "k": (F, ["b", "t", 12]),
        "v": (F, ["b", "t", 12]),
        "pk": (F, ["b", 3, "p", 4]),
        "pv": (F, ["b", 3, "p", 4]),
        "u8": (3, ["b", 9, 12, 4]),
    }
    path = written(
        folder / "mha.onnx",
        nodes,
        ins,
        dict.fromkeys(("y", "z", "ck", "cv", "g"), (F, None)) | {"mp": (3, None)},
        [weight("bias", 36)],
        domains={ms: 1},
    )
    feed = {
        "q": f32(2, 5, 12),
        "k": f32(2, 7, 12),
        "v": f32(2, 7, 12),
        "pk": f32(2, 3, 4, 4),
        "pv": f32(2, 3, 4, 4),
        "u8": np.ones((2, 9, 12, 4), "int8"),
    }
    yield held(path, feed)


@case("onnx")
def attention_23(folder: Path) -> Iterator[Subject]:
    nodes = [
        node("RMSNormalization", ["x", "g"], ["n"], axis=-1),
        node("Attention", ["n", "n", "n"], ["a3"], q_num_heads=4, kv_num_heads=4),
        node("Attention", ["q4", "k4", "v4", "", "pk", "pv"], ["a4", "pk2", "pv2"]),
        node("RotaryEmbedding", ["q4", "cos", "sin"], ["r"]),
    ]
    ins = {
        "x": (F, ["b", "s", 24]),
        "q4": (F, ["b", 6, "s", 8]),
        "k4": (F, ["b", 2, "s", 8]),
        "v4": (F, ["b", 2, "s", 10]),
        "pk": (F, ["b", 2, "p", 8]),
        "pv": (F, ["b", 2, "p", 10]),
        "cos": (F, ["b", "s", 4]),
        "sin": (F, ["b", "s", 4]),
    }
    path = written(
        folder / "att23.onnx", nodes, ins, ["a3", "a4", "pk2", "pv2", "r"], [weight("g", 24)], opset=23
    )
    feed = {
        "x": f32(2, 5, 24),
        "q4": f32(2, 6, 5, 8),
        "k4": f32(2, 2, 5, 8),
        "v4": f32(2, 2, 5, 10),
        "pk": f32(2, 2, 3, 8),
        "pv": f32(2, 2, 3, 10),
        "cos": f32(2, 5, 4),
        "sin": f32(2, 5, 4),
    }
    yield held(path, feed)


@case("onnx")
def classical_ml(folder: Path) -> Iterator[Subject]:
    ml = "ai.onnx.ml"
    nodes = [
        node("Imputer", ["x"], ["i"], ml, imputed_value_floats=[0.0] * 6, replaced_value_float=float("nan")),
        node("Scaler", ["i"], ["s"], ml, offset=[0.0] * 6, scale=[1.0] * 6),
        node("Normalizer", ["s"], ["n"], ml, norm="L2"),
        node(
            "LinearClassifier",
            ["n"],
            ["label", "scores"],
            ml,
            classlabels_ints=[0, 1, 2],
            coefficients=[0.1] * 18,
            intercepts=[0.0] * 3,
            post_transform="SOFTMAX",
            multi_class=0,
        ),
        node(
            "LinearRegressor", ["n"], ["reg"], ml, coefficients=[0.5] * 12, intercepts=[1.0, 2.0], targets=2
        ),
        node("Binarizer", ["n"], ["bin"], ml, threshold=0.2),
        node("ArrayFeatureExtractor", ["n", "cols"], ["afe"], ml),
        node("FeatureVectorizer", ["n", "reg"], ["fv"], ml, inputdimensions=[6, 2]),
        node("OneHotEncoder", ["cat"], ["oh"], ml, cats_int64s=[3, 5, 7, 9], zeros=1),
        node(
            "LabelEncoder",
            ["cat"],
            ["le"],
            ml,
            keys_int64s=[3, 5],
            values_floats=[0.5, 1.5],
            default_float=0.0,
        ),
        node(
            "TreeEnsembleRegressor",
            ["n"],
            ["tree"],
            ml,
            n_targets=1,
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[2, 0, 0],
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_values=[0.5, 0.0, 0.0],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            target_treeids=[0, 0],
            target_nodeids=[1, 2],
            target_ids=[0, 0],
            target_weights=[1.0, 2.0],
            nodes_missing_value_tracks_true=[0, 0, 0],
            nodes_hitrates=[1.0] * 3,
        ),
        node(
            "SVMRegressor",
            ["n"],
            ["svm"],
            ml,
            kernel_type="RBF",
            kernel_params=[0.5, 0.0, 3.0],
            n_supports=2,
            support_vectors=[0.1] * 12,
            coefficients=[1.0, -1.0],
            rho=[0.2],
        ),
        node("ZipMap", ["scores"], ["probs"], ml, classlabels_int64s=[0, 1, 2]),
    ]
    from onnx import helper

    outs = {
        "scores": (F, None),
        "reg": (F, None),
        "bin": (F, None),
        "afe": (F, None),
        "fv": (F, None),
        "oh": (F, None),
        "le": (F, None),
        "tree": (F, None),
        "svm": (F, None),
        "label": (I64, None),
    }
    path = written(
        folder / "classical.onnx",
        nodes[:-1],
        {"x": (F, ["N", 6]), "cat": (I64, ["N", 1])},
        outs,
        [const("cols", [0, 3])],
        domains={ml: 3},
    )
    yield held(path, {"x": f32(5, 6), "cat": np.array([[3], [5], [7], [9], [3]])})
    import onnx

    model = onnx.load(path)
    model.graph.node.append(nodes[-1])
    mapped = helper.make_map_type_proto(I64, helper.make_tensor_type_proto(F, []))
    model.graph.output.append(helper.make_value_info("probs", helper.make_sequence_type_proto(mapped)))
    onnx.save(model, folder / "zipmap.onnx")
    yield held(
        folder / "zipmap.onnx",
        {"x": f32(5, 6), "cat": np.array([[3], [5], [7], [9], [3]])},
        only=["scores", "reg"],
    )


@case("onnx")
def functions(folder: Path) -> Iterator[Subject]:
    """A local function with an attribute, called twice."""
    from onnx import helper

    scaled = helper.make_function(
        "own",
        "Block",
        ["X", "W"],
        ["Y"],
        [node("MatMul", ["X", "W"], ["m"]), helper.make_node("LeakyRelu", ["m"], ["Y"])],
        [helper.make_opsetid("", 17)],
    )
    nodes = [node("Block", ["x", "w1"], ["h"], "own"), node("Block", ["h", "w2"], ["y"], "own")]
    path = written(
        folder / "functions.onnx",
        nodes,
        {"x": (F, ["N", 6])},
        ["y"],
        [weight("w1", 6, 9), weight("w2", 9, 4)],
        domains={"own": 1},
        functions=[scaled],
    )
    yield held(path, {"x": f32(3, 6)}, params=54 + 36)
