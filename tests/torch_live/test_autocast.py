"""Dtypes under ``torch.autocast``: those of real calls on the CPU, of float32 and of bfloat16 operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import shapeinspect
from shapeinspect_torch.tracing.pytree import tensors

#: Each with its operand's shape; further operands are made of it, or are float32 weights.
CALLS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "linear": ((2, 4), lambda x: F.linear(x, torch.rand(3, 4), torch.rand(3))),
    "matmul": ((2, 4), lambda x: x @ torch.rand(4, 3)),
    "bmm": ((2, 4, 3), lambda x: torch.bmm(x, x.transpose(1, 2))),
    "addmm": ((2, 4), lambda x: torch.addmm(torch.rand(2, 3), x, torch.rand(4, 3))),
    "baddbmm": ((2, 4, 3), lambda x: torch.baddbmm(torch.rand(2, 4, 4), x, x.transpose(1, 2))),
    "einsum": ((2, 4), lambda x: torch.einsum("ij,jk->ik", x, torch.rand(4, 3))),
    "conv1d": ((2, 4, 9), lambda x: F.conv1d(x, torch.rand(5, 4, 3))),
    "conv2d": ((2, 4, 9, 8), lambda x: F.conv2d(x, torch.rand(5, 4, 3, 3))),
    "conv_transpose2d": ((2, 4, 9, 8), lambda x: F.conv_transpose2d(x, torch.rand(4, 5, 3, 3))),
    "prelu": ((2, 4), lambda x: F.prelu(x, torch.rand(4))),
    "attention": ((2, 3, 5, 4), lambda x: F.scaled_dot_product_attention(x, x, x)),
    "multi-head": ((2, 5, 4), lambda x: nn.MultiheadAttention(4, 2)(x.float(), x.float(), x.float())),
    "lstm": ((2, 5, 4), lambda x: nn.LSTM(4, 3)(x.float())),
    "gru": ((2, 5, 4), lambda x: nn.GRU(4, 3)(x.float())),
    "rnn": ((2, 5, 4), lambda x: nn.RNN(4, 3)(x.float())),
    "lstm cell": ((2, 4), lambda x: nn.LSTMCell(4, 3)(x.float())),
    "gru cell": ((2, 4), lambda x: nn.GRUCell(4, 3)(x.float())),
    "layer norm": ((2, 4), lambda x: F.layer_norm(x, (4,))),
    "layer norm with weights": ((2, 4), nn.LayerNorm(4)),
    "batch norm": ((2, 4, 3), nn.BatchNorm1d(4).eval()),
    "group norm": ((2, 4, 3), nn.GroupNorm(2, 4)),
    "softmax": ((2, 4), lambda x: x.softmax(-1)),
    "gelu": ((2, 4), F.gelu),
    "exp": ((2, 4), torch.exp),
    "sum": ((2, 4), torch.sum),
    "mean": ((2, 4), torch.mean),
    "prod": ((2, 4), torch.prod),
    "cumsum": ((2, 4), lambda x: x.cumsum(1)),
    "norm": ((2, 4), lambda x: x.norm()),
    "cdist": ((2, 4), lambda x: torch.cdist(x, x)),
    "cat": ((2, 4), lambda x: torch.cat([x, torch.rand(2, 3)], 1)),
    "cat of one dtype": ((2, 4), lambda x: torch.cat([x, x])),
    "stack": ((2, 4), lambda x: torch.stack([x, torch.rand(2, 4)])),
    "add": ((2, 4), lambda x: x + torch.rand(2, 4)),
    "mul": ((2, 4), lambda x: x * x),
    "mse": ((2, 4), lambda x: F.mse_loss(x, torch.rand(2, 4))),
    "smooth l1": ((2, 4), lambda x: F.smooth_l1_loss(x, torch.rand(2, 4))),
    "cross entropy": ((2, 4), lambda x: F.cross_entropy(x, torch.tensor([1, 3]))),
    "nll": ((2, 4), lambda x: F.nll_loss(x, torch.tensor([1, 3]))),
    "bce with logits": ((2, 4), lambda x: F.binary_cross_entropy_with_logits(x, torch.rand(2, 4))),
    "kl": ((2, 4), lambda x: F.kl_div(x, torch.rand(2, 4), reduction="batchmean")),
    "max pool": ((2, 3, 8, 6), lambda x: F.max_pool2d(x, 2)),
    "average pool": ((2, 3, 8, 6), lambda x: F.avg_pool2d(x, 2)),
    "max pool, 3-D": ((2, 3, 8, 6, 4), lambda x: F.max_pool3d(x, 2)),
    "adaptive pool, 3-D": ((2, 3, 8, 6, 4), lambda x: F.adaptive_avg_pool3d(x, 2)),
    "interpolate": ((2, 3, 8, 6), lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "pad": ((2, 3, 8, 6), lambda x: F.pad(x, (1, 2))),
    "pad by reflection": ((2, 3, 8, 6), lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect")),
    "grid sample": ((2, 3, 8, 6), lambda x: F.grid_sample(x, x.new_zeros(2, 5, 4, 2), align_corners=False)),
    "embedding": ((7, 4), lambda x: F.embedding(torch.tensor([1, 3]), x)),
    "float64": ((2, 4), lambda x: F.linear(x.double(), torch.rand(3, 4, dtype=torch.float64))),
}  # fmt: skip


class Calls(nn.Module):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.function(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", list(CALLS))
def test_a_call_gives_the_dtype_of_the_real_one(name: str, dtype: torch.dtype) -> None:
    shape, function = CALLS[name]
    x = torch.rand(shape, dtype=dtype)
    expected = [
        (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for _, tensor in tensors(Calls(function)(x))
    ]
    found = shapeinspect.inspect(Calls(function), f"{','.join(map(str, shape))}:{str(dtype)[6:]}").model
    assert [(found.values[output].shape, found.values[output].dtype) for output in found.outputs] == expected
