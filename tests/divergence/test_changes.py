"""A setting that is changed for a run computes what a module made with it computes, or is not changed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from shapeinspect.plugin_api.loading_script import Setting
from shapeinspect_torch.tracing.changed_settings import of_function, of_module

X = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("module", "kind", "padding"),
    [
        (nn.MaxPool2d(3, 2), "max_pool", ((1, 1), (0, 0))),
        (nn.MaxPool2d(3, 2), "max_pool", ((0, 1), (1, 0))),
        (nn.AvgPool2d(3, 2), "avg_pool", ((1, 1), (0, 0))),
        (nn.Conv2d(3, 4, 3), "conv", ((0, 1), (2, 0))),
    ],
)
def test_a_padding_is_that_of_a_padded_input(module: Any, kind: str, padding: Any) -> None:
    ends = [end for pair in reversed(padding) for end in pair]
    fill = float("-inf") if kind == "max_pool" else 0.0
    expected = module(nn.functional.pad(X, ends, value=fill))
    change = of_module(module, Setting("m", kind, "padding", padding, ""))
    assert change is not None
    assert torch.equal(change(module)(X), expected)


def test_a_mean_is_not_padded_at_one_end_alone() -> None:
    """The zeros of a padding ahead are counted, those of the pool itself as it is told."""
    setting = Setting("m", "avg_pool", "padding", ((0, 1), (1, 0)), "")
    assert of_module(nn.AvgPool2d(3, 2), setting) is None
    assert of_function("avg_pool2d", setting) is None
