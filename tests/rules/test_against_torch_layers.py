"""Products, recurrent layers, attention, norms and embeddings, against torch on meta tensors."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import macs, output_shapes

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
RECURRENT = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS = {"rnn_cell": nn.RNNCell, "gru_cell": nn.GRUCell, "lstm_cell": nn.LSTMCell}


@settings(max_examples=40, deadline=None)
@given(shape=shapes, features=st.integers(1, 4))
def test_linear(same_as_torch: Any, shape: tuple[int, ...], features: int) -> None:
    module = nn.Linear(features, 7, device="meta")
    same_as_torch("linear", {"in_features": features, "out_features": 7}, (shape,), module)


@settings(max_examples=40, deadline=None)
@given(left=shapes, right=shapes)
def test_bilinear(same_as_torch: Any, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    attributes = {"in1_features": 2, "in2_features": 3, "out_features": 5}
    same_as_torch("bilinear", attributes, (left, right), nn.Bilinear(2, 3, 5, device="meta"))
    same_as_torch("bilinear", attributes, ((*left, 2), (*left, 3)), nn.Bilinear(2, 3, 5, device="meta"))


@settings(max_examples=200, deadline=None)
@given(left=shapes, right=shapes, batch=shapes, inner=st.integers(1, 3))
def test_matmul(same_as_torch: Any, left: Any, right: Any, batch: Any, inner: int) -> None:
    same_as_torch("matmul", {}, (left, right), torch.matmul)
    same_as_torch("matmul", {}, ((*batch, 5, inner), (inner, 7)), torch.matmul)
    same_as_torch("matmul", {}, ((*left, 5, inner), (*right, inner, 7)), torch.matmul)


EQUATIONS = """
    ij,jk->ik bij,bjk->bik ...ij,...jk->...ik ij,jk bhqd,bhkd->bhqk ii->i ij->ji i,j->ij b...d,dk->b...k ba,ca
    b...,cda->dc
"""


@settings(max_examples=100, deadline=None)
@given(equation=st.sampled_from(EQUATIONS.split()), data=st.data())
def test_einsum(same_as_torch: Any, equation: str, data: Any) -> None:
    operands = equation.partition("->")[0].split(",")
    sizes = {letter: data.draw(st.integers(1, 4)) for letter in "abcdhijkq"}
    wide = tuple(data.draw(st.lists(st.integers(2, 3), max_size=2)))

    def shape(term: str) -> tuple[int, ...]:
        before, dots, after = term.partition("...")
        return (*(sizes[x] for x in before), *(wide if dots else ()), *(sizes[x] for x in after))

    inputs = [shape(term) for term in operands]
    if data.draw(st.booleans()) and len(inputs) > 1:
        inputs[1] = tuple(n + 4 for n in inputs[1])
    same_as_torch("einsum", {"equation": equation}, tuple(inputs), lambda *x: torch.einsum(equation, *x))


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(sorted(RECURRENT)),
    layers=st.integers(1, 3),
    both=st.booleans(),
    first=st.booleans(),
    projected=st.booleans(),
    shape=st.sampled_from(((5, 2, 3), (5, 3), (5, 2, 4), (3,))),
)
def test_recurrent(
    same_as_torch: Any,
    kind: str,
    layers: int,
    both: bool,
    first: bool,
    projected: bool,
    shape: tuple[int, ...],
) -> None:
    size = 4 if projected and kind == "lstm" else 0
    more = {"proj_size": size} if kind == "lstm" else {}
    module = RECURRENT[kind](3, 7, layers, batch_first=first, bidirectional=both, device="meta", **more)
    attributes = {
        "input_size": 3,
        "hidden_size": 7,
        "num_layers": layers,
        "bidirectional": both,
        "batch_first": first,
        "proj_size": size,
        "return_sequences": True,
        "return_state": True,
    }
    same_as_torch(kind, attributes, (shape,), module)


@pytest.mark.parametrize("kind", sorted(CELLS))
@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 4), (2, 5, 3)])
def test_cells(same_as_torch: Any, kind: str, shape: tuple[int, ...]) -> None:
    module = CELLS[kind](3, 7, device="meta")
    same_as_torch(kind, {"input_size": 3, "hidden_size": 7}, (shape,), module)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("averaged", [True, False])
def test_attention(same_as_torch: Any, batch_first: bool, batched: bool, averaged: bool) -> None:
    module = nn.MultiheadAttention(12, 3, kdim=5, vdim=7, batch_first=batch_first, device="meta")
    attributes = {
        "embed_dim": 12,
        "num_heads": 3,
        "kdim": 5,
        "vdim": 7,
        "batch_first": batch_first,
        "need_weights": True,
        "average_weights": averaged,
    }

    def shape(time: int, width: int) -> tuple[int, ...]:
        if not batched:
            return (time, width)
        return (2, time, width) if batch_first else (time, 2, width)

    def run(*x: torch.Tensor) -> Any:
        return module(*x, average_attn_weights=averaged)

    same_as_torch("attention", attributes, (shape(4, 12), shape(6, 5), shape(6, 7)), run)
    with pytest.raises(AssertionError):
        same_as_torch(
            "attention", attributes, (shape(4, 12), shape(6, 5), shape(6, 7)), lambda *x: run(*x)[0]
        )


@settings(max_examples=40, deadline=None)
@given(batch=shapes, keys=st.integers(1, 5), width=st.integers(1, 5))
def test_scaled_dot_product(same_as_torch: Any, batch: Any, keys: int, width: int) -> None:
    inputs = ((*batch, 3, 4), (*batch, keys, 4), (*batch, keys, width))
    same_as_torch("attention", {"scaled_dot_product": True}, inputs, F.scaled_dot_product_attention)


@settings(max_examples=60, deadline=None)
@given(shape=st.lists(st.integers(2, 5), min_size=2, max_size=5).map(tuple), channels=st.integers(2, 5))
def test_norms(same_as_torch: Any, shape: tuple[int, ...], channels: int) -> None:
    batch_norm = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[len(shape)]
    module = batch_norm(channels, device="meta").eval()
    same_as_torch("batch_norm", {"num_features": channels, "axis": 1}, (shape,), module)
    layer = nn.LayerNorm((channels,), device="meta")
    same_as_torch("layer_norm", {"normalized_shape": (channels,)}, (shape,), layer)
    same_as_torch("layer_norm", {"normalized_shape": (4, 3)}, (shape,), nn.LayerNorm((4, 3), device="meta"))
    same_as_torch(
        "group_norm", {"num_groups": 2, "num_channels": 4}, (shape,), nn.GroupNorm(2, 4, device="meta")
    )
    same_as_torch("local_response_norm", {"size": 3}, (shape,), nn.Softmax(-1))


def test_embeddings(same_as_torch: Any) -> None:
    table, bag = nn.Embedding(11, 5, device="meta"), nn.EmbeddingBag(11, 5, device="meta")
    attributes = {"num_embeddings": 11, "embedding_dim": 5}
    for shape in ((), (3,), (2, 3), (2, 3, 4)):
        same_as_torch("embedding", attributes, (shape,), lambda x: table(x.long()))
    same_as_torch("embedding_bag", attributes, ((2, 3),), lambda x: bag(x.long()))
    same_as_torch("embedding_bag", attributes, ((7,), (2,)), lambda x, at: bag(x.long(), at.long()))
    same_as_torch("embedding_bag", attributes, ((2, 3, 4),), lambda x: bag(x.long()))


@settings(max_examples=40, deadline=None)
@given(left=shapes, axis=st.integers(-4, 3), keep=st.booleans())
def test_distances_and_losses(same_as_torch: Any, left: tuple[int, ...], axis: int, keep: bool) -> None:
    both = (left, tuple(1 for _ in left))
    cosine = {"function": "cosine", "axis": axis, "keepdims": False}
    same_as_torch("distance", cosine, both, nn.CosineSimilarity(axis))
    pairwise = {"function": "p", "axis": -1, "keepdims": keep}
    same_as_torch("distance", pairwise, (left, left), nn.PairwiseDistance(keepdim=keep))
    same_as_torch("loss", {"reduction": "mean"}, (left, left), nn.MSELoss())


@pytest.mark.parametrize("settled", [{"output_size": (3, 4)}, {"output_ratio": (0.5, 0.7)}])
def test_fractional_pool(same_as_torch: Any, settled: dict[str, Any]) -> None:
    module = nn.FractionalMaxPool2d(2, **settled)
    same_as_torch("fractional_max_pool", {"kernel_size": (2, 2), **settled}, ((2, 3, 9, 11),), module, "cpu")


@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(*(st.integers(1, 7),) * 2),
    kernel=st.tuples(*(st.integers(1, 4),) * 2),
    out=st.tuples(*(st.integers(1, 6),) * 2),
)
def test_fractional_pool_refuses_what_its_windows_do_not_cover(
    same_as_torch: Any, size: tuple[int, int], kernel: tuple[int, int], out: tuple[int, int]
) -> None:
    module = nn.FractionalMaxPool2d(kernel, output_size=out)
    same_as_torch(
        "fractional_max_pool", {"kernel_size": kernel, "output_size": out}, ((2, 3, *size),), module, "cpu"
    )


@settings(max_examples=60, deadline=None)
@given(
    equation=st.sampled_from(("aab->b", "aa,ab->b", "ab,bb->a", "aab,b->a")),
    lengths=st.lists(st.sampled_from((1, 3, 4)), min_size=6, max_size=6),
)
def test_einsum_stretches_no_axis_within_one_operand(
    same_as_torch: Any, equation: str, lengths: list[int]
) -> None:
    rest = iter(lengths)
    inputs = tuple(tuple(next(rest) for _ in term) for term in equation.partition("->")[0].split(","))
    same_as_torch("einsum", {"equation": equation}, inputs, lambda *x: torch.einsum(equation, *x))


@pytest.mark.parametrize("grid", [(2, 5, 7, 2), (2, 5, 7, 11, 3), (3, 5, 7, 2), (2, 5, 7, 3)])
def test_grid_samples(same_as_torch: Any, grid: tuple[int, ...]) -> None:
    for shape in ((2, 13, 17, 19), (2, 13, 17, 19, 23)):
        sampled = functools.partial(F.grid_sample, align_corners=False)
        same_as_torch("grid_sample", {}, (shape, grid), sampled, "cpu")


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_losses_of_classes(same_as_torch: Any, reduction: str) -> None:
    loss, attributes = nn.NLLLoss(reduction=reduction), {"reduction": reduction, "a_target": True}
    same_as_torch("loss", attributes, ((2, 5, 3, 7), (2, 3, 7)), lambda x, y: loss(x, y.long()))


def test_heads_side_by_side(same_as_torch: Any) -> None:
    def attend(query: Any, key: Any, value: Any) -> Any:
        heads = [x.unflatten(-1, (n, -1)).transpose(1, 2) for x, n in ((query, 6), (key, 2), (value, 2))]
        made = F.scaled_dot_product_attention(*heads, enable_gqa=True)
        return made.transpose(1, 2).flatten(2)

    split = {"projected": False, "num_heads": 6, "num_kv_heads": 2, "batch_first": True}
    shapes = ((3, 5, 6 * 4), (3, 7, 2 * 4), (3, 7, 2 * 11))
    same_as_torch("attention", split, shapes, attend)
    # One product for the scores and one for the sum, of each of 6 heads: 5·7·(4 + 11).
    assert macs("attention", split, shapes, ((3, 5, 66),)) == 3 * 6 * 5 * 7 * (4 + 11)
    assert macs("attention", {**split, "past_length": 13}, shapes, ((3, 5, 66),)) == 3 * 6 * 5 * 20 * 15
    with pytest.raises(ShapeMismatchError, match="keys of 2 heads of 4 features"):
        output_shapes("attention", split, (shapes[0], (3, 7, 9), shapes[2]))
