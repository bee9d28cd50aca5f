"""The nearest sizes that fit, held against real runs."""

from __future__ import annotations

from typing import Any

import pytest
import refusing_nets
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.fitting import nearby
from shapeinspect.sources.input_shapes import InputSpec

TOKENS = ["ids=2,40:int64", "types=2,40:int64", "mask=2,40"]


def runs(net: nn.Module, *tensors: torch.Tensor) -> bool:
    try:
        net(*tensors)
    except (RuntimeError, IndexError):
        return False
    return True


@pytest.mark.parametrize(("fed", "moved"), [((2, 3, 56, 60), 3), ((2, 3, 66, 112), 2)], ids=str)
def test_the_axis_that_fails_is_moved_alone(fed: tuple[int, ...], moved: int) -> None:
    near = nearby(refusing_nets.windows, [InputSpec(fed)])
    assert near is not None
    found = near[0].shape
    assert [axis for axis in range(4) if found[axis] != fed[axis]] == [moved]
    assert 28 <= int(str(found[moved])) <= 115
    assert not runs(refusing_nets.windows, torch.zeros(fed))
    assert runs(refusing_nets.windows, torch.zeros([int(str(n)) for n in found]))


def test_inputs_that_belong_together_are_moved_together() -> None:
    near = nearby(refusing_nets.tokens, [InputSpec.parse(text) for text in TOKENS])
    assert near is not None
    assert [spec.shape for spec in near] == [(2, 32)] * 3

    def fed(length: int) -> list[Any]:
        return [torch.zeros(2, length, dtype=dtype) for dtype in (torch.int64, torch.int64, torch.float32)]

    assert [runs(refusing_nets.tokens, *fed(length)) for length in (32, 33, 40)] == [True, False, False]
    fit = shapeinspect.fit(refusing_nets.tokens, TOKENS)
    assert fit.solution.together is not None
    assert fit.solution.together.sizes == "1 to 32"
    assert [fit.judge([(1, n)] * 3) for n in (32, 33)] == ["fits", "refused"]
