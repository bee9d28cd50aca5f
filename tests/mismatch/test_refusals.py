"""What real torch refuses and its meta kernels let pass: the run without numbers refuses it as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import shapeinspect
from shapeinspect_torch.tracing.meta_checks import OtherTypeError, refuse, refuse_types

_LONG = torch.int64


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


_SHAPES: list[tuple[Callable[..., Any], tuple[Any, ...], bool]] = [
    (F.conv_transpose2d, (_zeros(2, 3, 6, 7), _zeros(3, 4, 2, 2)), True),
    (F.conv_transpose2d, (_zeros(2, 5, 6, 7), _zeros(3, 4, 2, 2)), False),
    (F.conv_transpose1d, (_zeros(3, 6), _zeros(3, 4, 2)), True),
    (F.conv_transpose1d, (_zeros(5, 6), _zeros(3, 4, 2)), False),
    (
        F.ctc_loss,
        (_zeros(9, 3, 5), torch.ones(3, 2, dtype=_LONG), torch.full((3,), 9), torch.full((3,), 2)),
        True,
    ),
    (
        F.ctc_loss,
        (_zeros(3, 9, 5), torch.ones(3, 2, dtype=_LONG), torch.full((3,), 9), torch.full((3,), 2)),
        False,
    ),
]
_TYPES: list[tuple[Callable[..., Any], tuple[Any, ...], bool]] = [
    (F.linear, (_zeros(2, 3), _zeros(4, 3)), True),
    (F.linear, (_zeros(2, 3, dtype=torch.float64), _zeros(4, 3)), False),
    (F.linear, (_zeros(2, 3, dtype=_LONG), _zeros(4, 3)), False),
    (F.conv1d, (_zeros(2, 3, 5, dtype=torch.float64), _zeros(4, 3, 2)), False),
    (torch.matmul, (_zeros(2, 3), _zeros(3, 4, dtype=torch.float64)), False),
    (F.cross_entropy, (_zeros(4, 3), _zeros(4)), False),
    (F.cross_entropy, (_zeros(4, 3), _zeros(4, 3)), True),
    (F.cross_entropy, (_zeros(4, 3), _zeros(4, dtype=torch.int32)), False),
    (F.cross_entropy, (_zeros(4, 3), _zeros(4, dtype=torch.uint8)), True),
    (F.binary_cross_entropy, (_zeros(4, 1), _zeros(4, 1, dtype=_LONG)), False),
    (F.binary_cross_entropy, (_zeros(4, 1), _zeros(4, 1)), True),
]


@pytest.mark.parametrize(("function", "given", "passes"), _SHAPES)
def test_shapes_as_torch_itself(function: Callable[..., Any], given: tuple[Any, ...], passes: bool) -> None:
    meta = tuple(one.to("meta") for one in given)
    if passes:
        made = function(*given)
        answer = refuse(function.__name__, meta, {})
        assert answer is None or answer.shape == made.shape
        return
    with pytest.raises(RuntimeError):
        function(*given)
    with pytest.raises(RuntimeError):
        refuse(function.__name__, meta, {})


@pytest.mark.parametrize(("function", "given", "passes"), _TYPES)
def test_dtypes_as_torch_itself(function: Callable[..., Any], given: tuple[Any, ...], passes: bool) -> None:
    if passes:
        function(*given)
        refuse_types(function.__name__, given, {})
        return
    with pytest.raises(RuntimeError):
        function(*given)
    with pytest.raises(OtherTypeError):
        refuse_types(function.__name__, given, {})


def test_a_weight_put_in_place_decides_the_sizes() -> None:
    """in_channels of the module is 3 as before; torch itself reads the weight."""
    net = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU())
    net[0].weight = nn.Parameter(net[0].weight.sum(1, keepdim=True))
    assert net(torch.randn(2, 1, 20, 30)).shape == (2, 8, 16, 26)
    assert shapeinspect.inspect(net, (2, 1, 20, 30))["0"].in_channels == 1
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug(net):
        net(torch.randn(2, 3, 20, 30))
    note = "\n".join(getattr(caught.value, "__notes__", ())) or str(caught.value)
    assert "expected  C = 1 " in note
