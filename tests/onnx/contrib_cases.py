"""Nodes of onnxruntime's own operators, one of each: its inputs, its outputs, its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

MS, ML = "com.microsoft", "ai.onnx.ml"
RANDOM = np.random.default_rng(0)
S, Z = np.float32(0.05), np.uint8(7)


def f(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def u8(*shape: int) -> Any:
    return RANDOM.integers(1, 200, shape).astype(np.uint8)


def i32(*shape: int, hi: int = 5) -> Any:
    return RANDOM.integers(0, hi, shape).astype(np.int32)


def i64(*shape: int, hi: int = 5) -> Any:
    return RANDOM.integers(0, hi, shape).astype(np.int64)


@dataclass
class W:
    """A stored input."""

    array: Any


@dataclass
class Case:
    """One node: its inputs, which outputs it has, its attributes."""

    op: str
    inputs: list[Any]
    outputs: list[int]
    domain: str
    attributes: dict[str, Any]


def c(op: str, inputs: list[Any], n: int | list[int] = 1, d: str = MS, **attributes: Any) -> Case:
    return Case(op, inputs, [1] * n if isinstance(n, int) else n, d, attributes)


CASES = [
    c("FusedMatMul", [f(2, 3, 5), f(2, 7, 5)], transB=1, alpha=0.5),
    c("FusedMatMul", [f(2, 5, 3), f(5, 7)], transA=1),
    c("FusedMatMul", [f(2, 3, 5), W(f(7, 5))], transB=1),
    c("FusedMatMul", [f(2, 3, 5), W(f(5, 7))]),
    c("TransposeMatMul", [f(2, 3, 5), W(f(7, 5))], transB=1),
    c("FusedConv", [f(2, 4, 9, 11), W(f(6, 2, 3, 3)), W(f(6))], activation="Relu", group=2, strides=[2, 1]),
    c("FusedConv", [f(2, 4, 9, 11), W(f(6, 4, 3, 3)), W(f(6)), f(2, 6, 7, 9)], activation="Relu"),
    c("FusedGemm", [f(3, 5), W(f(7, 5)), W(f(7))], transB=1, activation="Relu"),
    c("RotaryEmbedding", [f(2, 3, 16), i64(2, 3), W(f(9, 4)), W(f(9, 4))], num_heads=2),
    c("RotaryEmbedding", [f(2, 4, 3, 8), i64(2, 3), W(f(9, 4)), W(f(9, 4))]),
    c(
        "EmbedLayerNormalization",
        [
            i32(2, 5),
            i32(2, 5, hi=2),
            W(f(11, 12)),
            W(f(9, 12)),
            W(f(2, 12)),
            W(f(12)),
            W(f(12)),
            np.ones((2, 5), np.int32),
        ],
        3,
    ),
    c("EmbedLayerNormalization", [i32(2, 5), None, W(f(11, 12)), W(f(9, 12)), None, W(f(12)), W(f(12))], 2),
    c("SkipLayerNormalization", [f(2, 3, 8), f(2, 3, 8), W(f(8)), W(f(8)), W(f(8))], [1, 0, 0, 1]),
    c("SkipSimplifiedLayerNormalization", [f(2, 3, 8), f(2, 3, 8), W(f(8))], [1, 0, 0, 1]),
    c("SimplifiedLayerNormalization", [f(2, 3, 8), W(f(8))], d="", axis=-1),
    c("BiasGelu", [f(2, 3, 8), W(f(8))]),
    c("FastGelu", [f(2, 3, 8), W(f(8))]),
    c("FastGelu", [f(2, 3, 8)]),
    c("Gelu", [f(2, 3, 8)]),
    c("QuickGelu", [f(2, 3, 8)]),
    c("QLinearAdd", [u8(2, 3, 5), S, Z, u8(3, 1), S, Z, S, Z]),
    c("QLinearAdd", [u8(2, 3, 50), S, Z, W(u8(3, 50)), S, Z, S, Z]),
    c("QLinearMul", [u8(2, 3, 5), S, Z, u8(3, 1), S, Z, S, Z]),
    c("QLinearSigmoid", [u8(2, 3), S, Z, S, Z]),
    c("QLinearLeakyRelu", [u8(2, 3), S, Z, S, Z], alpha=0.1),
    c("QLinearAveragePool", [u8(2, 4, 9, 11), S, Z, S, Z], kernel_shape=[3, 2], strides=[2, 2]),
    c(
        "QLinearAveragePool",
        [u8(2, 9, 11, 4), S, Z, S, Z],
        kernel_shape=[3, 2],
        strides=[2, 2],
        channels_last=1,
    ),
    c("QLinearGlobalAveragePool", [u8(2, 4, 9, 11), S, Z, S, Z], channels_last=0),
    c("QLinearGlobalAveragePool", [u8(2, 9, 11, 4), S, Z, S, Z], channels_last=1),
    c("QLinearConcat", [S, Z, u8(2, 3, 5), S, Z, u8(2, 4, 5), S, Z], axis=1),
    c("QLinearConcat", [S, Z, u8(2, 3, 5), S, Z, W(u8(2, 40, 5)), S, Z, u8(2, 6, 5), S, Z], axis=1),
    c("QLinearSoftmax", [u8(2, 7), S, Z, np.float32(1 / 256), np.uint8(0)], opset=13, axis=-1),
    c("QLinearWhere", [np.array([[True], [False]]), u8(2, 5), S, Z, u8(1, 5), S, Z, S, Z]),
    c(
        "QLinearConv",
        [u8(2, 9, 11, 4), W(S), W(Z), W(u8(6, 4, 3, 3)), W(S), W(Z), W(S), W(Z)],
        channels_last=1,
    ),
    c("QGemm", [u8(3, 5), W(S), W(Z), W(u8(5, 7)), W(S), W(Z), W(i32(7)), W(S), W(Z)]),
    c("QGemm", [u8(3, 5), W(S), W(Z), W(u8(7, 5)), W(S), W(Z)], transB=1),
    c(
        "QAttention",
        [u8(2, 5, 12), W(u8(12, 36)), W(f(36)), W(S), W(S), None, W(Z), W(np.uint8(3))],
        num_heads=3,
    ),
    c(
        "QAttention",
        [u8(2, 5, 12), W(u8(12, 36)), W(f(36)), W(S), W(S), None, W(Z), W(np.uint8(3)), f(2, 2, 3, 6, 4)],
        2,
        num_heads=3,
        unidirectional=1,
    ),
    c("MatMulIntegerToFloat", [u8(3, 5), W(u8(5, 7)), S, W(S), Z, W(Z), W(f(7))]),
    c("DynamicQuantizeMatMul", [f(2, 3, 5), W(u8(5, 7)), W(S), W(Z), W(f(7))]),
    c("Attention", [f(2, 5, 12), W(f(12, 36)), W(f(36))], num_heads=3),
    c(
        "Attention",
        [f(2, 5, 12), W(f(12, 36)), W(f(36)), None, f(2, 2, 3, 6, 4)],
        2,
        num_heads=3,
        unidirectional=1,
    ),
    c(
        "Attention",
        [f(2, 5, 12), W(f(12, 16 + 16 + 24)), W(f(56))],
        num_heads=4,
        qkv_hidden_sizes=[16, 16, 24],
    ),
    c("MultiHeadAttention", [f(2, 5, 12), f(2, 7, 12), f(2, 7, 12)], num_heads=3),
    c("MultiHeadAttention", [f(2, 5, 12), f(2, 7, 12), f(2, 7, 12), W(f(36))], 3, num_heads=3),
    c(
        "MultiHeadAttention",
        [f(2, 5, 12), f(2, 5, 12), f(2, 5, 12), None, None, None, f(2, 3, 6, 4), f(2, 3, 6, 4)],
        3,
        num_heads=3,
    ),
    c("MultiHeadAttention", [f(2, 5, 12), f(2, 3, 7, 4), f(2, 3, 7, 4)], 1, num_heads=3),
    c(
        "GroupQueryAttention",
        [f(2, 5, 32), f(2, 5, 16), f(2, 5, 16), None, None, np.full(2, 4, np.int32), np.array(5, np.int32)],
        3,
        num_heads=4,
        kv_num_heads=2,
    ),
    c(
        "GroupQueryAttention",
        [
            f(2, 1, 32),
            f(2, 1, 16),
            f(2, 1, 16),
            f(2, 2, 6, 8),
            f(2, 2, 6, 8),
            np.full(2, 6, np.int32),
            np.array(7, np.int32),
        ],
        3,
        num_heads=4,
        kv_num_heads=2,
    ),
    c(
        "GroupQueryAttention",
        [f(2, 5, 64), None, None, None, None, np.full(2, 4, np.int32), np.array(5, np.int32)],
        3,
        num_heads=4,
        kv_num_heads=2,
    ),
    c("Inverse", [f(2, 3, 3)]),
    c("Trilu", [f(2, 3, 5)], upper=0),
    c("Trilu", [f(2, 3, 5), np.array(1, np.int64)]),
    c("Unique", [f(9)], 3),
    c("CDist", [f(5, 3), f(7, 3)], metric="euclidean"),
    c(
        "ConvTransposeWithDynamicPads",
        [f(2, 4, 5, 7), W(f(4, 6, 3, 3)), W(np.array([1, 1, 0, 0], np.int64))],
        strides=[2, 2],
    ),
    c("CropAndResize", [f(2, 4, 9, 11), f(3, 4), i32(3, hi=2), W(np.array([5, 6], np.int32))]),
    c("ExpandDims", [f(2, 3), W(np.array(1, np.int32))]),
    c("ExpandDims", [f(2, 3), W(np.array(-1, np.int32))]),
    c("GridSample", [f(2, 4, 9, 11), f(2, 5, 6, 2)]),
    c("Range", [np.int64(2), np.int64(11), np.int64(3)]),
    c("Range", [W(np.int64(2)), W(np.int64(11)), W(np.int64(3))]),
    c("MaxpoolWithMask", [f(2, 4, 9, 11), i32(2, 4, 9, 11)], kernel_shape=[3, 3], strides=[2, 1]),
    c("MurmurHash3", [i32(2, 3)]),
    c("NGramRepeatBlock", [i64(2, 5), f(2, 9)], ngram_size=2),
    c("SampleOp", [f(2, 3)]),
    c(
        "Tokenizer",
        [np.array([["a b", "c"], ["d", "e f g"]], object)],
        mark=0,
        separators=[" "],
        pad_value="#",
        mincharnum=1,
    ),
    c(
        "WordConvEmbedding",
        [i32(4, 6, hi=9), W(f(8, 1, 3, 5)), W(f(8)), W(f(9, 5))],
        embedding_size=8,
        conv_window_size=3,
        char_embedding_size=5,
    ),
    c("QuantizeLinear", [f(2, 3), W(S), W(Z)]),
    c("DequantizeLinear", [u8(2, 3), W(S), W(Z)]),
    c("Pad", [f(2, 3), W(np.array([1, 0, 0, 2], np.int64))]),
    c("Pad", [f(2, 3), np.array([1, 0, 0, 2], np.int64)]),
    c("GatherND", [f(2, 3, 5), i64(7, 2, hi=2)]),
    c(
        "MatMulInteger16",
        [RANDOM.integers(0, 9, (3, 5)).astype(np.int16), W(RANDOM.integers(0, 9, (5, 7)).astype(np.int16))],
    ),
    c(
        "DynamicQuantizeLSTM",
        [
            f(5, 2, 6),
            W(u8(1, 6, 28)),
            W(u8(1, 7, 28)),
            W(f(1, 56)),
            None,
            None,
            None,
            None,
            W(np.full(1, 0.05, np.float32)),
            W(np.full(1, 7, np.uint8)),
            W(np.full(1, 0.05, np.float32)),
            W(np.full(1, 7, np.uint8)),
        ],
        3,
        hidden_size=7,
    ),
    c("UnfoldTensor", [f(2, 9)], dim=-1, size=3, step=2),
    c("UnfoldTensor", [f(9, 2)], dim=0, size=3, step=2),
    c("DynamicTimeWarping", [f(1, 5, 7)]),
    c(
        "MoE",
        [f(6, 8), f(6, 3), W(f(3, 16, 8)), W(f(3, 16)), W(f(3, 8, 16)), W(f(3, 8))],
        k=2,
        activation_type="gelu",
    ),
    c(
        "GatherBlockQuantized",
        [W(u8(9, 32)), i64(2, 5), W(f(9, 4))],
        gather_axis=0,
        quantize_axis=1,
        block_size=16,
        bits=4,
    ),
    c(
        "LinearAttention",
        [f(2, 5, 16), f(2, 5, 16), f(2, 5, 24), None, f(2, 5, 2)],
        2,
        q_num_heads=2,
        kv_num_heads=2,
        update_rule="gated",
    ),
    c("CausalConvWithState", [f(2, 6, 9), W(f(6, 1, 4)), W(f(6))], 2),
    c("MatMulFpQ4", [f(3, 32), W(u8(7 * 20)), W(np.array([32, 7], np.int64))], blk_quant_type=0),
    c("LinearAttentionGate", [f(2, 3, 4), W(f(4)), W(f(4)), f(2, 3, 4)], 2),
    c("GatedRMSNorm", [f(2, 3, 8), W(f(8)), f(2, 3, 8)]),
    c(
        "DecoderMaskedMultiHeadAttention",
        [
            f(2, 1, 12),
            f(2, 1, 12),
            f(2, 1, 12),
            None,
            None,
            f(2, 3, 9, 4),
            f(2, 3, 9, 4),
            np.array([6], np.int32),
        ],
        3,
        num_heads=3,
        past_present_share_buffer=1,
    ),
    c("NhwcMaxPool", [u8(2, 9, 11, 4)], kernel_shape=[3, 3], strides=[2, 1]),
    c(
        "AttnLSTM",
        [
            f(5, 2, 6),
            W(f(1, 4 * 7, 6 + 3)),
            W(f(1, 28, 7)),
            W(f(1, 56)),
            None,
            None,
            None,
            None,
            W(f(1, 7, 4)),
            W(f(1, 3, 4)),
            W(f(1, 4)),
            f(2, 6, 3),
            np.full(2, 6, np.int32),
        ],
        3,
        hidden_size=7,
    ),
    c("ArrayFeatureExtractor", [f(3, 5), i64(2)], d=ML),
    c("ArrayFeatureExtractor", [f(5), i64(2)], d=ML),
    c("ArrayFeatureExtractor", [f(3, 5), W(i64(1, 2))], d=ML),
    c("ArrayFeatureExtractor", [f(3, 5), i64(2, 4)], d=ML),
    c("ArrayFeatureExtractor", [f(3, 5), W(np.int64(1))], d=ML),
    c("ArrayFeatureExtractor", [f(1, 5), i64(3, 1)], d=ML),
    c("Binarizer", [f(3, 5)], d=ML, threshold=0.5),
    c("CategoryMapper", [np.array([["a", "b"]], object)], d=ML, cats_int64s=[1, 2], cats_strings=["a", "b"]),
    c("FeatureVectorizer", [f(3, 2), f(3, 4)], d=ML, inputdimensions=[2, 4]),
    c("Imputer", [f(3, 5)], d=ML, imputed_value_floats=[0.0] * 5),
    c("LabelEncoder", [i64(3, 2)], d=ML, keys_int64s=[0, 1, 2, 3, 4], values_strings=list("abcde")),
    c(
        "LinearClassifier",
        [f(6, 5)],
        2,
        d=ML,
        coefficients=f(15).tolist(),
        intercepts=f(3).tolist(),
        classlabels_ints=[0, 1, 2],
        post_transform="SOFTMAX",
    ),
    c(
        "LinearClassifier",
        [f(6, 5)],
        2,
        d=ML,
        coefficients=f(10).tolist(),
        intercepts=f(2).tolist(),
        classlabels_ints=[0, 1],
        post_transform="LOGISTIC",
    ),
    c(
        "LinearClassifier",
        [f(6, 5)],
        2,
        d=ML,
        coefficients=f(5).tolist(),
        intercepts=f(1).tolist(),
        classlabels_ints=[0, 1],
        post_transform="LOGISTIC",
    ),
    c(
        "LinearClassifier",
        [f(5)],
        2,
        d=ML,
        coefficients=f(15).tolist(),
        intercepts=f(3).tolist(),
        classlabels_strings=["a", "b", "c"],
    ),
    c("LinearRegressor", [f(6, 5)], d=ML, coefficients=f(10).tolist(), intercepts=f(2).tolist(), targets=2),
    c("LinearRegressor", [f(6, 5)], d=ML, coefficients=f(5).tolist()),
    c("Normalizer", [f(6, 5)], d=ML, norm="L2"),
    c("OneHotEncoder", [i64(6)], d=ML, cats_int64s=[0, 1, 2, 3, 4]),
    c("OneHotEncoder", [i64(6, 2)], d=ML, cats_int64s=[0, 1, 2, 3, 4]),
    c("Scaler", [f(6, 5)], d=ML, offset=f(5).tolist(), scale=f(5).tolist()),
    c(
        "SVMRegressor",
        [f(6, 5)],
        d=ML,
        coefficients=f(4).tolist(),
        support_vectors=f(20).tolist(),
        n_supports=4,
        rho=[0.5],
        kernel_type="RBF",
        kernel_params=[0.1, 0.0, 3.0],
    ),
    c(
        "SVMClassifier",
        [f(6, 5)],
        2,
        d=ML,
        coefficients=f(2 * 6).tolist(),
        support_vectors=f(30).tolist(),
        vectors_per_class=[2, 2, 2],
        rho=f(3).tolist(),
        kernel_type="RBF",
        kernel_params=[0.1, 0.0, 3.0],
        classlabels_ints=[0, 1, 2],
    ),
    c(
        "SVMClassifier",
        [f(6, 5)],
        2,
        d=ML,
        coefficients=f(4 * 9).tolist(),
        support_vectors=f(60).tolist()[:60],
        vectors_per_class=[3, 3, 3, 3],
        rho=f(6).tolist(),
        kernel_type="RBF",
        kernel_params=[0.1, 0.0, 3.0],
        classlabels_ints=[0, 1, 2, 3],
    ),
    c(
        "SVMClassifier",
        [f(6, 5)],
        2,
        d=ML,
        coefficients=f(15).tolist(),
        rho=f(1).tolist(),
        kernel_type="LINEAR",
        kernel_params=[0.1, 0.0, 3.0],
        classlabels_ints=[0, 1, 2],
    ),
    c(
        "TreeEnsembleClassifier",
        [f(6, 5)],
        2,
        d=ML,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[1, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        class_treeids=[0, 0],
        class_nodeids=[1, 2],
        class_ids=[0, 1],
        class_weights=[1.0, 1.0],
        classlabels_int64s=[0, 1],
        post_transform="NONE",
    ),
    c(
        "TreeEnsembleRegressor",
        [f(6, 5)],
        d=ML,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[1, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 1],
        target_weights=[1.0, 1.0],
        n_targets=2,
    ),
]
