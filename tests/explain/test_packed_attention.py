"""ONNX Runtime's attention with one weight for query, key and value: its work, derived by hand."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

import shapeinspect

N, T, WIDE, HEADS, PAST = 2, 7, 12, 3, 5


@pytest.mark.parametrize("past", [0, PAST])
@pytest.mark.parametrize("sizes", [None, (6, 6, 9)])
def test_the_work_of_packed_attention(past: int, sizes: tuple[int, int, int] | None) -> None:
    q, k, v = sizes or (WIDE, WIDE, WIDE)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (N, T, WIDE))]
    if past:
        inputs.append(
            helper.make_tensor_value_info("past", TensorProto.FLOAT, (2, N, HEADS, past, q // HEADS))
        )
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, (WIDE, q + k + v), [0.0] * (WIDE * (q + k + v))),
        helper.make_tensor("b", TensorProto.FLOAT, (q + k + v,), [0.0] * (q + k + v)),
    ]
    settings = {"num_heads": HEADS} | ({} if sizes is None else {"qkv_hidden_sizes": list(sizes)})
    node = helper.make_node(
        "Attention",
        ["x", "w", "b"] + (["", "past"] if past else []),
        ["y"],
        "a",
        domain="com.microsoft",
        **settings,
    )
    graph = helper.make_graph([node], "g", inputs, [helper.make_empty_tensor_value_info("y")], weights)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    call = shapeinspect.explain(helper.make_model(graph, opset_imports=opsets), "a")[0].calls[0]
    assert call.outputs[0].shape == (N, T, v)
    # x times one matrix gives query, key and value. Each head then has T·(past + T) scores of q/heads
    # products, and as many products with the v/heads features. Nothing is projected afterwards.
    projected = T * WIDE * (q + k + v)
    scores = T * (past + T) * (q // HEADS) * HEADS
    mean = T * (past + T) * (v // HEADS) * HEADS
    assert call.work is not None
    assert call.work.total == N * (projected + scores + mean)
    assert call.work.formula is not None
