"""The cache of a grouped attention, whose length the graph counts from a mask, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import shapeinspect

from .runtime_oracle import compare

INT32, INT64, FLOAT = TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT
MS = "com.microsoft"
#: Sequences, new positions, room of the cache, length of the mask.
SIZES = ((2, 1, 6, 7), (3, 1, 9, 4), (1, 5, 2, 7), (2, 1, 8, 8))


def decoder(build: Any, *, packed: bool, tables: bool) -> onnx.ModelProto:
    build.tensor("one", np.int64(1))
    build.tensor("last", np.array([1], np.int64))
    build.node("ReduceSum", ["mask", "last"], "lengths", keepdims=0)
    build.node("Sub", ["lengths", "last"], "before")
    build.node("Cast", ["before"], "seqlens", to=INT32)
    build.node("Shape", ["mask"], "shape")
    build.node("Gather", ["shape", "one"], "longest")
    build.node("Cast", ["longest"], "total", to=INT32)
    rotated = [build.weight("cos", 32, 8), build.weight("sin", 32, 8)] if tables else []
    given = ["q", "", ""] if packed else ["q", "k", "v"]
    build.node(
        "GroupQueryAttention", [*given, "past_k", "past_v", "seqlens", "total", *rotated],
        "y", "key", "value", name="gqa", domain=MS, num_heads=4, kv_num_heads=2, do_rotary=int(tables),
    )  # fmt: skip
    inputs: dict[str, Any] = {"q": ("N", "S", 128 if packed else 64)}
    inputs |= {} if packed else {"k": ("N", "S", 32), "v": ("N", "S", 32)}
    inputs |= {"past_k": ("N", 2, "P", 16), "past_v": ("N", 2, "P", 16), "mask": ("N", "M")}
    return build.model(inputs, ["y", "key", "value"], dtypes={"mask": INT64}, domains={MS: 1})


def fed(n: int, new: int, room: int, total: int, *, packed: bool) -> dict[str, Any]:
    arrays: dict[str, Any] = {"q": np.zeros((n, new, 128 if packed else 64), np.float32)}
    if not packed:
        arrays |= {name: np.zeros((n, new, 32), np.float32) for name in ("k", "v")}
    arrays |= {name: np.zeros((n, 2, room, 16), np.float32) for name in ("past_k", "past_v")}
    return {**arrays, "mask": np.ones((n, total), np.int64)}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("tables", [False, True])
def test_the_cache_is_as_long_as_its_room_or_the_mask(build: Any, packed: bool, tables: bool) -> None:
    model = decoder(build, packed=packed, tables=tables)
    score = compare(model, [fed(*sizes, packed=packed) for sizes in SIZES])
    assert (score.wrong, score.unknown) == ([], [])
    report = shapeinspect.inspect(model)
    assert report.totals.params == 0  # tables of sines are no parameters
    # Two products: of each new position with all in the cache, for 4 heads of 16.
    assert str(report.totals.macs) == "128*N*S*max(M, P)"


def test_a_length_that_is_fed_leaves_the_cache_unknown(build: Any) -> None:
    build.node(
        "GroupQueryAttention", ["q", "k", "v", "past_k", "past_v", "seqlens", "total"],
        "y", "key", "value", name="gqa", domain=MS, num_heads=4, kv_num_heads=2,
    )  # fmt: skip
    inputs: dict[str, Any] = {"q": ("N", "S", 64), "k": ("N", "S", 32), "v": ("N", "S", 32)}
    inputs |= {"past_k": ("N", 2, "P", 16), "past_v": ("N", 2, "P", 16), "seqlens": ("N",), "total": ()}
    dtypes = {"seqlens": INT32, "total": INT32}
    report = shapeinspect.inspect(build.model(inputs, ["y", "key"], dtypes=dtypes, domains={MS: 1}))
    assert [str(length) for length in report.outputs[1].shape] == ["N", "2", "?", "16"]
    assert report.totals.macs_unknown == ("gqa",)
