"""onnxruntime's operators for serving, most without a kernel for the CPU, against its own shape inference.

A session that is made strictly refuses a declared shape that contradicts the inferred one, before it looks
for a kernel, and says what it inferred: so the shapes can be read off its refusals. Without rows all outputs
of these nodes were unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import shapeinspect
from shapeinspect.rules.registry import unregistered

MS = "com.microsoft"
HALF, FLOAT, WHOLE, LONG, BYTE = (
    TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8
)  # fmt: skip
BRAIN, FP8, SIGNED = TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.INT8
#: What an output may be; onnxruntime refuses a wrong type first.
TYPES = (HALF, FLOAT, LONG, WHOLE, BYTE, BRAIN, SIGNED)
#: Lengths that no output has.
WRONG = tuple(range(9001, 9010))
#: Cases with an output that onnxruntime does not infer, though its documentation says how long it is.
DOCUMENTED = {"GatedDeltaNet of packed rows": 2}
#: Cases whose node the data decides partly: what is left unknown, by us and by onnxruntime.
OPEN = {"BifurcationDetector", "QuantizeBFP", "DequantizeBFP", "DynamicSparseAttention without a cache"}

Input = tuple[int, tuple[int, ...]] | None


@dataclass
class Case:
    """A node: its inputs by type and lengths, how many outputs are connected, its attributes, its weights."""

    inputs: list[Input]
    outputs: tuple[bool, ...]
    attributes: dict[str, Any]
    stored: frozenset[int]


def c(inputs: list[Input], outputs: int | str, stored: str = "", **attributes: Any) -> Case:
    connected = (True,) * outputs if isinstance(outputs, int) else tuple(flag == "1" for flag in outputs)
    return Case(inputs, connected, attributes, frozenset(map(int, stored.split())))


def h(*shape: int) -> Input:
    return HALF, shape


def f(*shape: int) -> Input:
    return FLOAT, shape


def i(*shape: int) -> Input:
    return WHOLE, shape


def n(*shape: int) -> Input:
    return LONG, shape


def b(*shape: int) -> Input:
    return BYTE, shape


_HEADS = {"num_heads": 4, "kv_num_heads": 2}
_PAGES = [h(10, 18, 2, 16), h(10, 18, 2, 16), i(4), i(3), i(3, 5)]
_CHOICE: list[Input] = [None, None, i(6, 5), i(6), i(2), i(1)]
_INDEX = [h(16), h(16), h(50, 8), h(50, 8)]
_ORDERS = dict.fromkeys(("order_input", "order_weight", "order_global_weight", "order_output"), 1)

CASES: dict[str, Case] = {
    "BifurcationDetector": c([n(11), n(7), n(), n(9)], 2),
    "ConvStateReplay": c([h(11), h(12), h(13), n(8)], 1),
    "GatedDeltaNetStateReplay": c([f(11), f(12), f(13), n(11)], 1),
    "QuantizeBFP": c([f(5, 16)], 3, bfp_type=1),
    "DequantizeBFP": c([b(50), n(2), n(2)], 1, bfp_type=1),
    "DynamicSparseAttention": c(
        [h(2, 3, 64), h(2, 3, 32), h(2, 3, 32), h(2, 2, 40, 16), h(2, 2, 40, 16), *_CHOICE], 4, **_HEADS
    ),
    "DynamicSparseAttention of packed rows": c(
        [h(2, 3, 128), None, None, h(2, 2, 40, 16), h(2, 2, 40, 16), *_CHOICE], 4, **_HEADS
    ),
    "DynamicSparseAttention without a cache": c(
        [h(2, 3, 64), h(2, 3, 32), h(2, 3, 32), None, None, *_CHOICE], 4, **_HEADS
    ),
    "EngramGate": c([h(2, 3, 4, 5), h(2, 3, 4, 5), h(2, 3, 5), h(4, 5), h(4, 5), h(4, 5)], 2, "3 4 5"),
    "GatedDeltaNet": c(
        [h(7, 2, 16), h(7, 2, 16), h(7, 6, 24), i(4), h(7, 6), h(7, 6), f(3, 6, 24, 16), None, None, i(3)],
        3,
        state_update_capacity=5,
    ),
    "GatedDeltaNet with a decay for each feature": c(
        [h(7, 2, 16), h(7, 2, 16), h(7, 6, 24), i(4), h(7, 6, 16), h(7, 6), f(3, 6, 24, 16), None, None,
         i(3)],
        3,
        state_update_capacity=5,
    ),
    "GatedDeltaNet of sequences": c(
        [h(3, 7, 2, 16), h(3, 7, 2, 16), h(3, 7, 6, 24), None, h(3, 7, 6), h(3, 7, 6), f(3, 6, 24, 16)], 2
    ),
    "GatedDeltaNet of packed rows": c(
        [h(7, 208), None, None, i(4), h(7, 6), h(7, 6), f(3, 6, 24, 16), None, None, i(3)],
        3,
        state_update_capacity=5,
    ),
    "GatedDeltaNet without a state": c(
        [h(7, 2, 16), h(7, 2, 16), h(7, 6, 24), i(4), h(7, 6), h(7, 6)], 2
    ),
    "GatherPacked": c([b(9, 50), n(2, 3)], 1, "0", K=64, packed_type=12),
    "HyperConnectionLowRankMix": c(
        [h(2, 3, 20), h(20), h(20, 6), h(6, 20), h(20, 4)], 3, "1 2 3 4", num_branches=4
    ),
    "HyperConnectionPostMix": c([h(2, 3, 20), h(2, 3, 5), h(2, 3, 4)], 1, num_branches=4),
    "HyperConnectionPostMix of grouped streams": c([h(2, 3, 4, 5), h(2, 3, 5), h(2, 3, 4)], 1),
    "HyperConnectionPreMix": c([h(2, 3, 20), h(2, 3, 4)], 1, num_branches=4),
    "HyperConnectionPreMix of grouped streams": c([h(2, 3, 4, 5), h(2, 3, 4)], 1),
    "Mamba2Verify": c(
        [(BRAIN, (7, 643)), (BRAIN, (5, 448, 3)), f(5, 3, 128, 64), (BRAIN, (448, 4)), (BRAIN, (448,)),
         f(3), f(3), f(3), f(192), i(1)],
        5, "5 6 7 8", heads=3, n_groups=1,
    ),
    "MatMulBlockQuantizedFp4Weight": c([h(2, 3, 32), b(7, 16), b(7, 2), f()], 1, "1 2 3"),
    "MatMulBlockQuantizedFp8Weight": c([h(2, 3, 256), (FP8, (7, 256)), f(7, 2)], 1, "2"),
    "MatMulPacked": c([h(2, 3, 64), b(7, 36)], 1, "1", N=7, K=64, packed_type=2),
    "MoEGroupRouter": c([f(2, 3, 8), f(8)], 1, "1", top_k=2),
    "MoEGroupRouter with a matrix": c([f(6, 256), f(8), f(8, 256)], "011", "1 2", top_k=2),
    "MoEPacked": c(
        [h(2, 3, 32), h(6, 4), b(4, 64, 18), b(4, 64, 18), b(4, 32, 36)],
        1, "2 3 4", k=2, gate_type=2, down_type=2, up_type=2,
    ),
    "NGramHashMapping": c([n(2, 5), n(3), n(8)], 2, max_ngram_size=3, n_head_per_ngram=4, pad_id=0),
    "VarlenNGramHashMapping": c(
        [n(9), n(3), n(8), i(4), None, None, None, None, None, i(3)],
        4, max_ngram_size=3, n_head_per_ngram=4, pad_id=0, state_update_capacity=5,
    ),
    "PackedSparseAttentionIndexer": c(
        [h(7, 64), h(7, 16), *_INDEX, i(4), i(3), None, None, None, None, h(3, 20, 16), h(3, 7, 16), None,
         i(3, 2), i(3)],
        "1111011", "2 3", policy_mode="qsa", compress_ratio=4, token_budget=16, state_capacity=20,
        state_update_capacity=5,
    ),
    "PackedSparseAttentionIndexerMerge": c(
        [i(3, 5), i(3), i(7), i(7), i(7)], 3, policy_mode="append_range", max_output_entries=12
    ),
    "PagedAttention": c([h(7, 64), h(7, 32), h(7, 32), *_PAGES], 3, **_HEADS),
    "PagedAttention of packed rows": c([h(7, 128), None, None, *_PAGES], 3, **_HEADS),
    "PagedAttention of latent rows": c(
        [h(7, 96), h(7, 24), None, h(10, 16, 1, 24), None, i(4), i(3), i(3, 5)],
        2, num_heads=4, kv_num_heads=1, kv_cache_layout="LATENT", v_head_size=17, scale=0.2,
    ),
    "SparsePagedAttention": c(
        [h(7, 64), h(7, 32), h(7, 32), *_PAGES, None, i(7, 6), i(7)], 3, **_HEADS
    ),
    "SparsePagedAttention of packed rows": c(
        [h(7, 128), None, None, *_PAGES, None, i(7, 6), i(7)], 3, **_HEADS
    ),
    "QOrderedLongformerAttention": c(
        [(SIGNED, (2, 5, 24)), f(), (SIGNED, (24, 72)), f(), f(72), f(), f(), h(2, 5), (SIGNED, (24, 72)),
         f(), f(72), f(), i(2, 5), f()],
        1, num_heads=3, window=2, **_ORDERS,
    ),
    "RMSNormRotary": c(
        [(BRAIN, (2, 3, 4, 20)), f(16), n(2, 3), f(50, 4), f(50, 4)],
        2, "1 3 4", rotary_embedding_dim=8, input_width=16,
    ),
    "RMSNormRotary of one row": c(
        [(BRAIN, (2, 3, 4, 16)), f(16), n(2, 3), f(50, 4), f(50, 4)],
        2, "1", rotary_embedding_dim=8, flatten_batch=1,
    ),
    "RouterGateUpProj": c([h(2, 3, 32), h(32, 18)], 2, "1", router_size=4),
    "SparseAttentionIndexer": c(
        [h(2, 3, 64), h(2, 3, 16), *_INDEX, None, h(2, 9, 16)],
        2, "2 3", policy_mode="qsa", compress_ratio=4, token_budget=16,
    ),
    "SparseAttentionIndexer in a buffer": c(
        [h(2, 3, 64), h(2, 3, 16), *_INDEX, None, h(2, 9, 16), None, None, None, None, i(1)],
        2, "2 3", policy_mode="qsa", compress_ratio=4, token_budget=16,
    ),
    **{
        f"SparseAttentionIndexer of {tokens} after {waiting}": c(
            [h(2, tokens, 64), h(2, tokens, 32), *_INDEX, None, h(2, 9, 16), h(2, tokens, 32), h(4, 32),
             h(2, tokens, 4), n(2, tokens), None, h(2, 2, waiting, 32)],
            3, "2 3 9", policy_mode="csa", compress_ratio=4, index_topk=11,
        )
        for tokens, waiting in ((9, 6), (1, 1), (3, 1), (1, 4), (8, 7))
    },
    "SpeculativePrefixCommit": c([n(3, 8), n(3, 8), i(2), n(3, 16), n(3, 2), n(3, 16), n(2)], 3),
    "SpeculativePrefixCommit of one": c([n(8), n(8), i(2), n(16), n(2), n(16), n(2)], 3),
    "VarlenCausalConvWithState": c(
        [h(9, 6), h(6, 1, 4), i(4), h(6), h(3, 6, 6), i(3)], 3, "1 3", dilation=2, state_update_capacity=5
    ),
}  # fmt: skip


def model(name: str, declared: dict[int, onnx.ValueInfoProto] | None = None) -> onnx.ModelProto:
    """Make the model of one node; its weights are zeros."""
    case, inputs, stored, names = CASES[name], [], [], []
    for slot, given in enumerate(case.inputs):
        names.append("" if given is None else f"x{slot}")
        if given is None:
            continue
        code, shape = given
        if slot in case.stored:
            array = np.zeros(shape, helper.tensor_dtype_to_np_dtype(code))
            stored.append(numpy_helper.from_array(array, names[-1]))
        else:
            inputs.append(helper.make_tensor_value_info(names[-1], code, shape))
    written = [f"y{place}" if on else "" for place, on in enumerate(case.outputs)]
    node = helper.make_node(name.split(maxsplit=1)[0], names, written, "n", domain=MS, **case.attributes)
    outputs = [
        (declared or {}).get(place, onnx.ValueInfoProto(name=name))
        for place, name in enumerate(written)
        if name
    ]
    graph = helper.make_graph([node], "g", inputs, outputs, stored)
    versions = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=10)


def refusal(name: str, declared: dict[int, onnx.ValueInfoProto]) -> str:
    """Return why onnxruntime does not make a session of a model with a declared output."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.strict_shape_type_inference", "1")
    content = model(name, declared).SerializeToString()
    try:
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  (it has no class of its own for each refusal)
        return str(error)
    return ""


def inferred(name: str, place: int) -> list[int | None] | None:
    """Return what onnxruntime infers for one output, read off what it refuses."""
    lengths, types = list(WRONG), list(TYPES)
    while True:
        shape = helper.make_tensor_value_info(f"y{place}", types[0], lengths)
        told = refusal(name, {place: shape})
        rank = re.search(r"inferred=(\d+) declared=\d+", told)
        length = re.search(r"Inferred=(\d+) Declared=\d+ Dimension=(\d+)", told, re.IGNORECASE)
        if rank:
            lengths = list(WRONG[: int(rank[1])])
        elif length:
            lengths[int(length[2])] = int(length[1])
        elif "Type" in told and "expected" in told and len(types) > 1:
            types.pop(0)
        else:
            assert "ShapeInferenceError" not in told, told
            if len(lengths) == len(WRONG):
                return None
            return [None if length in WRONG else length for length in lengths]


@pytest.mark.parametrize("name", CASES)
def test_shapes_are_those_that_onnxruntime_infers(name: str) -> None:
    report = shapeinspect.inspect(model(name))
    places = [place for place, on in enumerate(CASES[name].outputs) if on]
    ours = [value["shape"] for value in report.to_dict()["outputs"]]
    for place, shape in zip(places, ours, strict=True):
        real = inferred(name, place)
        if DOCUMENTED.get(name) == place:
            assert real is not None
            assert None in real
            assert None not in shape
        elif real is not None:
            assert shape == real
    assert (all(shape is not None and None not in shape for shape in ours)) == (name not in OPEN)
    assert report.notes == ()


@pytest.mark.parametrize("name", CASES)
def test_every_setting_is_of_the_vocabulary(name: str) -> None:
    layer = shapeinspect.inspect(model(name)).to_dict()["layers"][-1]
    assert layer["kind"] != "unknown"
    assert not unregistered(layer["kind"], frozenset(layer["attributes"]))


def test_lengths_that_are_stated_by_the_documentation() -> None:
    """The state of a captured step: the decays, the keys and the values of 5 steps, packed or not."""
    rows = [name for name in CASES if name.startswith("GatedDeltaNet") and CASES[name].attributes]
    sizes = {name: shapeinspect.inspect(model(name)).to_dict()["outputs"][2]["shape"] for name in rows}
    assert sizes == {
        "GatedDeltaNet": [3, 5 * (6 + 2 * 16 + 6 * 24)],
        "GatedDeltaNet with a decay for each feature": [3, 5 * (6 * 16 + 2 * 16 + 6 * 24)],
        "GatedDeltaNet of packed rows": [3, 5 * (6 + (208 - 6 * 24) // 2 + 6 * 24)],
    }


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("MatMulPacked", 2 * 3 * 64 * 7),
        ("MatMulBlockQuantizedFp4Weight", 2 * 3 * 32 * 7),
        ("MatMulBlockQuantizedFp8Weight", 2 * 3 * 256 * 7),
        ("RouterGateUpProj", 2 * 3 * 32 * 18),
        ("MoEPacked", 2 * 3 * 2 * 3 * 64 * 32),
        ("MoEGroupRouter with a matrix", 6 * 256 * 8),
        ("VarlenCausalConvWithState", 9 * 6 * 4),
        ("HyperConnectionLowRankMix", 2 * 3 * 20 * (6 + 6 + 4)),
        ("GatedDeltaNet", 7 * 3 * 6 * 16 * 24),
        ("Mamba2Verify", 7 * 448 * 4 + 2 * 7 * 3 * 128 * 64),
        ("PagedAttention", None),
    ],
)
def test_work_is_that_of_the_documented_products(name: str, work: int | None) -> None:
    assert shapeinspect.inspect(model(name)).model.calls[-1].macs == work


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("MatMulPacked", {"B": (7, 64)}),
        ("GatherPacked", {"data": (9, 64)}),
        ("MatMulBlockQuantizedFp4Weight", {"B": (7, 32)}),
        ("MoEPacked", {"gate_experts_weights": (4, 64, 32), "up_experts_weights": (4, 64, 32),
                       "down_experts_weights": (4, 32, 64)}),
    ],
)  # fmt: skip
def test_packed_weights_count_what_they_stand_for(name: str, weights: dict[str, tuple[int, ...]]) -> None:
    report = shapeinspect.inspect(model(name))
    found = {weight.role: weight.shape for weight in report.model.layers[-1].weights if not weight.buffer}
    assert found == weights


def test_values_of_blocks_of_floats() -> None:
    """Two values a byte, the low one first, times the scale of 16 inputs, times the scale of all."""
    import ml_dtypes

    codes = np.random.default_rng(0).integers(0, 256, (7, 16)).astype(np.uint8)
    scales = np.linspace(0.5, 3.25, 14, dtype=np.float32).reshape(7, 2).astype(ml_dtypes.float8_e4m3fn)
    single = np.stack([codes & 15, codes >> 4], -1).reshape(7, 32)
    floats = single.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    arrays = {"x1": codes, "x2": scales.view(np.uint8), "x3": np.asarray(0.5, np.float32)}
    made = model("MatMulBlockQuantizedFp4Weight")
    for tensor in made.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name], tensor.name))
    weight = shapeinspect.inspect(made).model.layers[-1].weights[0]
    assert weight.values is not None
    np.testing.assert_array_equal(
        weight.values(), floats * scales.astype(np.float32).repeat(16, axis=1) * np.float32(0.5)
    )
