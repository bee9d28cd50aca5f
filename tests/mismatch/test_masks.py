"""Of a mask that attention refuses, the shape that is said to be expected is one that torch itself takes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis

BATCH, STEPS, MEMORY, WIDTH, HEADS = 6, 21, 9, 16, 4


class Encoder(nn.Module):
    """An encoder of two layers."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Any, mask: Any = None, pad: Any = None) -> Any:
        """Encode."""
        return self.encoder(x, mask=mask, src_key_padding_mask=pad)


class Causal(Encoder):
    """Makes its mask for the batch, not for the steps."""

    def forward(self, x: Any) -> Any:  # type: ignore[override]  # it makes its own mask
        """Encode."""
        mask = nn.Transformer.generate_square_subsequent_mask(x.size(0))
        return self.encoder(x, mask=mask)


class Cross(nn.Module):
    """A decoder of one layer over a memory of another length."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 32, batch_first=batch_first)

    def forward(self, x: Any, mask: Any = None, pad: Any = None) -> Any:
        """Decode."""
        memory = torch.zeros(BATCH, MEMORY, WIDTH)
        memory = memory if self.layer.self_attn.batch_first else memory.transpose(0, 1)
        return self.layer(x, memory, memory_mask=mask, memory_key_padding_mask=pad)


def _diagnosed(model: nn.Module, *args: Any, **kwargs: Any) -> Diagnosis:
    with pytest.raises((RuntimeError, AssertionError)) as caught:
        model(*args, **kwargs)
    found = explain_error(caught.value)
    assert found is not None
    return found


@pytest.mark.parametrize("network", [Encoder, Cross])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ("mask", (BATCH, BATCH)),
        ("mask", (BATCH, STEPS)),
        ("mask", (BATCH, STEPS, STEPS)),
        ("pad", (STEPS, BATCH)),
        ("pad", (BATCH, STEPS + 1)),
    ],
)
def test_torch_takes_what_is_expected(
    network: type[nn.Module], batch_first: bool, given: str, shape: tuple[int, ...]
) -> None:
    model = network(batch_first)
    x = torch.zeros((BATCH, STEPS, WIDTH) if batch_first else (STEPS, BATCH, WIDTH))
    found = _diagnosed(model, x, **{given: torch.zeros(shape, dtype=torch.bool)})
    wanted = re.search(r"_mask of \(([\d, ]+)\)", found.problem.expected or "")
    assert wanted is not None, found.problem.expected
    mask = torch.zeros([int(length) for length in wanted[1].split(",")], dtype=torch.bool)
    assert model(x, **{given: mask}).shape == x.shape


def test_a_mask_is_made_for_the_steps() -> None:
    found = _diagnosed(Causal(True), torch.zeros(BATCH, STEPS, WIDTH))
    make = "nn.Transformer.generate_square_subsequent_mask"
    assert found.cause == "mask"
    assert found.fixes[0].text == f"{make}(x.size(1)) instead of {make}(x.size(0))"


def test_a_mask_is_repeated_for_each_head() -> None:
    attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    x = torch.zeros(BATCH, STEPS, WIDTH)
    mask = torch.zeros(BATCH, STEPS, STEPS, dtype=torch.bool)
    found = _diagnosed(attention, x, x, x, attn_mask=mask)
    assert found.fixes[0].text.startswith(f"attn_mask.repeat_interleave({HEADS}, 0)")
