"""Functions between modules: kind, attributes, shape and dtype against the function itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shapeinspect.infer import infer


class Step(nn.Module):
    def __init__(self, step: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: torch.Tensor) -> Any:
        return self.step(x)


W = torch.randn

STEPS: list[tuple[Callable[[torch.Tensor], Any], str, dict[str, Any]]] = [
    (lambda x: x.view(2, -1), "reshape", {"shape": (2, -1)}),
    (lambda x: x.reshape((6, 7, 10)), "reshape", {"shape": (6, 7, 10)}),
    (lambda x: x.flatten(1, 2), "flatten", {"start_axis": 1, "end_axis": 2}),
    (lambda x: torch.flatten(x), "flatten", {"start_axis": 0, "end_axis": -1}),  # noqa: PLW0108  # its own name
    (lambda x: x.unflatten(3, (2, 5)), "unflatten", {"axis": 3, "sizes": (2, 5)}),
    (lambda x: x.permute(0, 2, 3, 1), "permute", {"axes": (0, 2, 3, 1)}),
    (lambda x: torch.permute(x, (3, 0, 1, 2)), "permute", {"axes": (3, 0, 1, 2)}),
    (lambda x: x.transpose(1, -1), "transpose2", {"axis0": 1, "axis1": -1}),
    (lambda x: x.mT, "transpose2", {"axis0": -2, "axis1": -1}),
    (lambda x: x.unsqueeze(2), "unsqueeze", {"axes": (2,)}),
    (lambda x: x[:1].squeeze(0), "squeeze", {"axes": (0,)}),
    (lambda x: x.squeeze(0), "squeeze", {"axes": ()}),  # longer than 1: torch leaves it
    (lambda x: x[:, :1].squeeze((0, 1)), "squeeze", {"axes": (1,)}),
    (lambda x: torch.addmm(x[0, 0, :1, :6], x[0, 0], W(10, 6)), "gemm", {"added_first": True}),
    (lambda x: torch.outer(x[0, 0, 0], x[0, :, 0, 0]), "einsum", {"equation": "i,j->ij"}),
    (lambda x: F.grid_sample(x, W(2, 5, 9, 2), align_corners=False), "grid_sample", {"mode": "bilinear"}),
    (
        lambda x: F.max_unpool2d(x, torch.zeros_like(x, dtype=torch.int64), 2, 3),
        "max_unpool",
        {"kernel_size": (2, 2), "stride": (3, 3)},
    ),
    (lambda x: F.mse_loss(x, x + 1), "loss", {"reduction": "mean"}),
    (lambda x: F.cosine_similarity(x, x[:1], dim=2), "distance", {"axis": 2, "keepdims": False}),
    (lambda x: F.pairwise_distance(x, x, keepdim=True), "distance", {"axis": -1, "keepdims": True}),
    (lambda x: torch.column_stack((x, x)), "concat", {"axis": 1}),
    (lambda x: x.unfold(3, 4, 3), "unknown", {}),  # no F.unfold: windows along one axis
    (lambda x: F.unfold(x, 2), "unfold", {"kernel_size": (2, 2)}),
    (lambda x: torch.cat([x, x, x], dim=2), "concat", {"axis": 2}),
    (lambda x: torch.cat((x.transpose(0, 1)[:2], x[:, :2].transpose(0, 1))), "concat", {"axis": 0}),
    (lambda x: torch.stack([x, x], -1), "stack", {"axis": -1}),
    (lambda x: x.chunk(4, 3), "split", {"axis": 3, "chunks": 4}),
    (lambda x: x.split([3, 4], dim=2), "split", {"axis": 2, "sizes": (3, 4)}),
    (lambda x: torch.split(x, 3, 3), "split", {"axis": 3, "chunk": 3}),
    (lambda x: x.unbind(1), "unstack", {"axis": 1}),
    (lambda x: x[:, 1:, ::2], "slice", {"axes": (1, 2), "starts": (1, 0), "steps": (1, 2)}),
    (lambda x: x[..., -1], "index", {"axis": 3, "index": -1}),
    (lambda x: x[:, None], "unsqueeze", {"axes": (1,)}),
    (lambda x: x[:, torch.tensor([0, 2])], "gather", {"axis": 1}),
    (lambda x: x[0, :, None, 1:3], "unsqueeze", {"axes": (1,)}),
    (lambda x: x[:, [2, 0]], "gather", {"axis": 1}),
    (lambda x: x[torch.arange(2), torch.tensor([2, 0])], "unknown", {}),
    (lambda x: x.narrow(2, 1, 4), "slice", {"axes": (2,), "starts": (1,), "ends": (5,)}),
    (lambda x: x.select(1, 2), "index", {"axis": 1, "index": 2}),
    (lambda x: x.index_select(3, torch.tensor([1, 1, 4])), "gather", {"axis": 3}),
    (lambda x: x[:1].expand(4, -1, -1, -1), "expand", {"shape": (4, -1, -1, -1)}),
    (lambda x: x.repeat(2, 1, 3, 1), "tile", {"repeats": (2, 1, 3, 1)}),
    (lambda x: x.repeat_interleave(3, dim=1), "repeat", {"axis": 1, "count": 3}),
    (lambda x: x.mean(dim=(2, 3)), "reduce", {"op": "mean", "axes": (2, 3), "keepdims": False}),
    (lambda x: x.sum(1, keepdim=True), "reduce", {"op": "sum", "axes": (1,), "keepdims": True}),
    (lambda x: torch.amax(x, (1, 2), True), "reduce", {"op": "amax", "axes": (1, 2), "keepdims": True}),
    (lambda x: x.mean(), "reduce", {"op": "mean"}),
    (lambda x: x.max(dim=1), "reduce", {"op": "amax", "axes": (1,)}),
    (lambda x: x.argmax(-1), "argmax", {"axis": -1}),
    (lambda x: x.topk(2, dim=2), "topk", {"k": 2, "axis": 2}),
    (lambda x: F.relu(x, inplace=True), "activation", {"function": "relu"}),
    (lambda x: x.sigmoid_(), "activation", {"function": "sigmoid"}),
    (lambda x: F.gelu(x, approximate="tanh"), "activation", {"function": "gelu"}),
    (lambda x: F.leaky_relu(x, 0.1, True), "activation", {"function": "leaky_relu"}),
    (lambda x: F.softmax(x.half(), dim=1, dtype=torch.float32), "softmax", {"axis": 1, "log": False}),
    (lambda x: x.log_softmax(2), "softmax", {"axis": 2, "log": True}),
    (lambda x: F.glu(x, 3), "glu", {"axis": 3}),
    (lambda x: F.dropout(x, 0.5, True), "dropout", {}),
    (lambda x: x * 2 + 1, "elementwise", {"op": "add"}),
    (lambda x: 1 - x, "elementwise", {"op": "sub"}),
    (lambda x: 2**x, "elementwise", {"op": "pow"}),
    (lambda x: x > 0, "elementwise", {"op": "gt"}),
    (lambda x: ~(x > 0), "elementwise", {"op": "invert"}),
    (lambda x: x.to(torch.float16) + x, "elementwise", {"op": "add"}),
    (lambda x: x.int() / 2, "elementwise", {"op": "div"}),
    (lambda x: x + x.new_ones(4, 1, 1, 1, 1), "elementwise", {"op": "add"}),
    (lambda x: x.add_(x[:, :1]), "elementwise", {"op": "add"}),
    (lambda x: x.masked_fill(x > 0, -1.0), "elementwise", {"op": "masked_fill"}),
    (lambda x: torch.where(x > 0, x, x.new_zeros(1)), "elementwise", {"op": "where"}),
    (lambda x: torch.maximum(x, -x), "elementwise", {"op": "maximum"}),
    (lambda x: x @ x.transpose(2, 3), "matmul", {}),
    (lambda x: torch.matmul(x, W(10)), "matmul", {}),
    (lambda x: torch.bmm(x[0], x[1].mT), "matmul", {}),
    (lambda x: torch.einsum("nchw,ndhw->ncd", x, x), "einsum", {"equation": "nchw,ndhw->ncd"}),
    (lambda x: F.linear(x, W(4, 10), W(4)), "linear", {"in_features": 10, "out_features": 4}),
    (
        lambda x: F.conv2d(x, W(6, 1, 3, 2), stride=(2, 1), padding=1, groups=3),
        "conv",
        {"in_channels": 3, "out_channels": 6, "groups": 3, "stride": (2, 1), "padding": ((1, 1), (1, 1))},
    ),
    (lambda x: F.conv2d(x, W(6, 3, 3, 2), padding="same"), "conv", {"padding": "same"}),
    (lambda x: F.conv1d(x[0], W(6, 7, 3)), "conv", {"kernel_size": (3,)}),
    (
        lambda x: F.conv_transpose2d(x, W(3, 4, 2, 5), W(4), 3, (0, 1), 1),
        "conv_transpose",
        {"in_channels": 3, "out_channels": 4, "output_padding": (1, 1), "padding": ((0, 0), (1, 1))},
    ),
    (
        lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        "max_pool",
        {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "ceil_mode": True},
    ),
    (lambda x: F.max_pool2d(x, 2, return_indices=True), "max_pool", {}),
    (lambda x: F.max_pool2d(x[0], 2), "max_pool", {"kernel_size": (2, 2)}),
    (lambda x: F.avg_pool2d(x, (2, 3)), "avg_pool", {"kernel_size": (2, 3), "stride": (2, 3)}),
    (lambda x: F.lp_pool2d(x, 2, 2), "lp_pool", {"kernel_size": (2, 2)}),
    (lambda x: F.adaptive_avg_pool2d(x, (3, None)), "adaptive_avg_pool", {"output_size": (3, None)}),
    (lambda x: F.adaptive_max_pool2d(x, 4), "adaptive_max_pool", {"output_size": (4, 4)}),
    (lambda x: F.interpolate(x, scale_factor=1.5), "resize", {"scale_factor": (1.5, 1.5), "mode": "nearest"}),
    (lambda x: F.interpolate(x, (5, 6), mode="bicubic"), "resize", {"size": (5, 6), "mode": "bicubic"}),
    (lambda x: F.pad(x, (1, 2, 3, 0)), "pad", {"padding": ((3, 0), (1, 2)), "mode": "constant"}),
    (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "pad", {"mode": "reflect"}),
    (lambda x: F.unfold(x, (2, 3), stride=2), "unfold", {"kernel_size": (2, 3), "stride": (2, 2)}),
    (lambda x: F.pixel_shuffle(x.reshape(1, 20, 3, 7), 2), "pixel_shuffle", {"factor": 2}),
    (lambda x: F.layer_norm(x, (7, 10), W(7, 10)), "layer_norm", {"normalized_shape": (7, 10)}),
    (lambda x: F.group_norm(x, 3), "group_norm", {"num_groups": 3, "num_channels": 3}),
    (lambda x: F.batch_norm(x, W(3), W(3) ** 2), "batch_norm", {"num_features": 3}),
    (
        lambda x: F.scaled_dot_product_attention(x, x[:, :, :4], x[:, :, :4, :5]),
        "attention",
        {"head_dim": 10},
    ),
    (lambda x: F.one_hot(x.long() % 4, 4), "one_hot", {"depth": 4}),
    (lambda x: F.embedding(x.long() % 4, W(4, 6)), "embedding", {"num_embeddings": 4, "embedding_dim": 6}),
    (lambda x: x.half(), "cast", {"dtype": "float16"}),
    (lambda x: torch.roll(x, 1, 2), "unary", {}),
    (lambda x: torch.arange(300) + torch.zeros(3, 300), "elementwise", {"op": "add"}),
    (lambda x: torch.cdist(x, x), "unknown", {}),
]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("step", "kind", "attributes"), STEPS)
def test_a_function(step: Any, kind: str, attributes: dict[str, Any], channels_last: bool, read: Any) -> None:
    example = torch.randn(2, 3, 7, 10)
    if channels_last:
        example = example.to(memory_format=torch.channels_last)
    try:
        expected = step(example.clone())
    except RuntimeError:
        # A view that this memory format does not allow must be refused by the trace as well.
        from shapeinspect.errors import ModelCodeError

        assert channels_last
        with pytest.raises(ModelCodeError):
            read(Step(step), example)
        return
    found = read(Step(step), example)
    tensors = list(expected) if isinstance(expected, tuple) else [expected]
    values = [found.values[name] for name in found.outputs]
    assert [(value.shape, value.dtype) for value in values] == [
        (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for tensor in tensors
    ]
    layer = next(layer for layer in found.layers if layer.path == found.calls[-1].layer)
    assert layer.kind == kind
    assert {key: layer.attributes.get(key) for key in attributes} == attributes
    assert infer(found).notes == found.notes
    assert found.notes == ()
