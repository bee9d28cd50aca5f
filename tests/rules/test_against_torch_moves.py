"""Ops that move, join, cut and resize, against torch on meta tensors."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

lengths = st.integers(1, 6)
shapes = st.lists(lengths, min_size=1, max_size=5).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    size=st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple),
    scale=st.one_of(
        st.sampled_from((0.5, 0.25, 2.0, 3.0, 1.5, 0.29, 1.1, 0.7)),
        st.floats(0.05, 5),
        st.floats(0.0625, 5, width=32),
    ),
)
def test_interpolate_by_factor(same_as_torch: Any, size: tuple[int, ...], scale: float) -> None:
    same_as_torch(
        "resize",
        {"scale_factor": (scale,) * len(size)},
        ((2, 3, *size),),
        lambda x: F.interpolate(x, scale_factor=(scale,) * len(size)),
    )


@settings(max_examples=30, deadline=None)
@given(size=st.lists(lengths, min_size=1, max_size=3).map(tuple), data=st.data())
def test_interpolate_to_size(same_as_torch: Any, size: tuple[int, ...], data: Any) -> None:
    out = tuple(data.draw(st.integers(1, 9)) for _ in size)
    same_as_torch("resize", {"size": out}, ((2, 3, *size),), lambda x: F.interpolate(x, size=out))


@settings(max_examples=60, deadline=None)
@given(shape=st.lists(st.integers(1, 20), min_size=3, max_size=5).map(tuple), factor=st.integers(1, 3))
def test_pixel_shuffles(same_as_torch: Any, shape: tuple[int, ...], factor: int) -> None:
    same_as_torch("pixel_shuffle", {"factor": factor}, (shape,), nn.PixelShuffle(factor))
    same_as_torch("pixel_unshuffle", {"factor": factor}, (shape,), nn.PixelUnshuffle(factor))


@settings(max_examples=100, deadline=None)
@given(shape=shapes, data=st.data(), mode=st.sampled_from(("constant", "circular")))
def test_pad(same_as_torch: Any, shape: tuple[int, ...], data: Any, mode: str) -> None:
    low = -3 if mode == "constant" else 0
    # torch takes circular padding for the space of 3 to 5 axes alone.
    count = data.draw(st.integers(1, len(shape))) if mode == "constant" else 1
    if mode == "circular":
        shape = (2, 3, *shape[:1])
    pairs = tuple((data.draw(st.integers(low, 5)), data.draw(st.integers(low, 5))) for _ in range(count))
    flat = [amount for pair in reversed(pairs) for amount in pair]
    same_as_torch("pad", {"padding": pairs, "mode": mode}, (shape,), lambda x: F.pad(x, flat, mode=mode))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 6), before=st.integers(0, 7), after=st.integers(0, 7))
def test_reflecting_pad(same_as_torch: Any, n: int, before: int, after: int) -> None:
    attributes = {"padding": ((before, after),), "mode": "reflect"}
    same_as_torch("pad", attributes, ((2, 3, n),), nn.ReflectionPad1d((before, after)))


@settings(max_examples=80, deadline=None)
@given(shape=shapes, start=st.integers(-5, 5), end=st.integers(-5, 5))
def test_flatten(same_as_torch: Any, shape: tuple[int, ...], start: int, end: int) -> None:
    same_as_torch(
        "flatten", {"start_axis": start, "end_axis": end}, (shape,), lambda x: torch.flatten(x, start, end)
    )


@settings(max_examples=150, deadline=None)
@given(
    shape=shapes, target=st.lists(st.sampled_from((-1, 1, 2, 3, 4, 6, 12)), min_size=1, max_size=4).map(tuple)
)
def test_reshape(same_as_torch: Any, shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    same_as_torch("reshape", {"shape": target}, (shape,), lambda x: x.reshape(target))


@settings(max_examples=80, deadline=None)
@given(shape=shapes, data=st.data())
def test_permute_and_its_relatives(same_as_torch: Any, shape: tuple[int, ...], data: Any) -> None:
    rank = len(shape)
    axis = st.integers(-rank - 1, rank)
    order = tuple(data.draw(st.permutations(range(rank))))
    one, other = data.draw(axis), data.draw(axis)
    same_as_torch("permute", {"axes": order}, (shape,), lambda x: x.permute(order))
    same_as_torch("transpose2", {"axis0": one, "axis1": other}, (shape,), lambda x: x.transpose(one, other))
    same_as_torch(
        "movedim", {"source": one, "destination": other}, (shape,), lambda x: torch.movedim(x, one, other)
    )
    same_as_torch("unsqueeze", {"axes": (one,)}, (shape,), lambda x: x.unsqueeze(one))
    same_as_torch("squeeze", {"axes": None}, (shape,), torch.squeeze)
    same_as_torch("index", {"axis": one, "index": other}, (shape,), lambda x: x.select(one, other))
    same_as_torch("unstack", {"axis": one}, (shape,), lambda x: x.unbind(one))


@settings(max_examples=120, deadline=None)
@given(data=st.data(), rank=st.integers(1, 4), count=st.integers(1, 3))
def test_concat_and_stack(same_as_torch: Any, data: Any, rank: int, count: int) -> None:
    inputs = tuple(tuple(data.draw(st.integers(2, 3)) for _ in range(rank)) for _ in range(count))
    axis = data.draw(st.integers(-rank - 1, rank))
    same_as_torch("concat", {"axis": axis}, inputs, lambda *x: torch.cat(x, axis))
    same_as_torch("stack", {"axis": axis}, inputs, lambda *x: torch.stack(x, axis))


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(1, 12),
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple),
    k=st.integers(1, 6),
)
def test_split(same_as_torch: Any, n: int, sizes: tuple[int, ...], k: int) -> None:
    same_as_torch("split", {"axis": 1, "sizes": sizes}, ((2, n),), lambda x: x.split(sizes, 1))
    same_as_torch("split", {"axis": 1, "chunk": k}, ((2, n),), lambda x: x.split(k, 1))
    same_as_torch("split", {"axis": 1, "chunks": k}, ((2, n),), lambda x: x.chunk(k, 1))


@settings(max_examples=120, deadline=None)
@given(
    left=st.lists(st.integers(1, 3), max_size=4).map(tuple),
    right=st.lists(st.integers(1, 3), max_size=4).map(tuple),
)
def test_broadcasting(same_as_torch: Any, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    same_as_torch("elementwise", {"op": "add"}, (left, right), torch.add)
    same_as_torch(
        "expand", {"shape": right}, (left,), lambda x: torch.broadcast_tensors(x, torch.empty(right))[0]
    )
    same_as_torch("tile", {"repeats": right}, (left,), lambda x: x.tile(right))


@settings(max_examples=80, deadline=None)
@given(shape=shapes, data=st.data(), keep=st.booleans())
def test_reductions(same_as_torch: Any, shape: tuple[int, ...], data: Any, keep: bool) -> None:
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    same_as_torch(
        "reduce", {"op": "sum", "axes": (axis,), "keepdims": keep}, (shape,), lambda x: x.sum(axis, keep)
    )
    same_as_torch("reduce", {"op": "sum", "axes": None}, (shape,), torch.sum)
    same_as_torch("argmax", {"axis": axis, "keepdims": keep}, (shape,), lambda x: x.argmax(axis, keep))
    same_as_torch("topk", {"axis": axis, "k": 3}, (shape,), lambda x: x.topk(3, axis))
    same_as_torch("glu", {"axis": axis}, (shape,), lambda x: F.glu(x, axis))


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(1, 7),
    start=st.one_of(st.none(), st.integers(-9, 9)),
    end=st.one_of(st.none(), st.integers(-9, 9)),
    step=st.integers(1, 4),
)
def test_slices(same_as_torch: Any, n: int, start: int | None, end: int | None, step: int) -> None:
    attributes = {"starts": (start,), "ends": (end,), "axes": (1,), "steps": (step,)}
    same_as_torch("slice", attributes, ((2, n),), lambda x: x[:, start:end:step])


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(lengths, min_size=2, max_size=4).map(tuple), axis=st.integers(-5, 4), k=st.integers(1, 4)
)
def test_gather_repeat_and_one_hot(same_as_torch: Any, shape: tuple[int, ...], axis: int, k: int) -> None:
    def pick(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return x.index_select(axis, index.long())

    same_as_torch("gather", {"axis": axis}, (shape, (k,)), pick)
    same_as_torch("repeat", {"axis": axis, "count": k}, (shape,), lambda x: x.repeat_interleave(k, axis))
    same_as_torch(
        "unflatten", {"axis": axis, "sizes": (k, -1)}, (shape,), lambda x: x.unflatten(axis, (k, -1))
    )


def test_one_hot_adds_an_axis_of_the_depth(same_as_torch: Any) -> None:
    x = torch.zeros((3, 4), dtype=torch.int64, device="cpu")
    made = tuple(F.one_hot(x, 7).shape)
    same_as_torch("one_hot", {"depth": 7, "axis": -1}, ((3, 4),), lambda _x: torch.empty(made))
