"""A weight that is the other one's in another order: each mistake of a port is named."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from einops import rearrange
from torch import nn

import shapeinspect

# Lengths that two axes share are those that a wrong order needs: no shape tells it.


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 2)
        self.fc = nn.Linear(3 * 4 * 5, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).flatten(1))


def rows(*order: int, size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Reorder the blocks of rows that gates are stored in."""
    return lambda weight: torch.cat([weight.split(size)[at] for at in order])


SAID: list[tuple[nn.Module, tuple[int, ...], str, Callable[[torch.Tensor], torch.Tensor], str]] = [
    (nn.Linear(5, 5), (2, 5), "weight", lambda w: w.T, "o and i swapped"),
    (nn.Conv2d(3, 3, (2, 4)), (1, 3, 7, 8), "weight", lambda w: w.transpose(0, 1), "o and i swapped"),
    (nn.Conv2d(2, 3, 4), (1, 2, 7, 8), "weight", lambda w: w.transpose(2, 3), "kh and kw swapped"),
    (nn.Conv2d(2, 3, (4, 5)), (1, 2, 7, 8), "weight", lambda w: w.flip(2, 3), "the kernel flipped"),
    (
        nn.Conv2d(4, 4, 4),
        (1, 4, 7, 8),
        "weight",
        lambda w: w.permute(2, 3, 1, 0),
        "the axes o i kh kw in the order kh kw i o",
    ),
    (
        nn.LSTM(3, 5),
        (2, 1, 3),
        "weight_ih_l0",
        rows(0, 3, 1, 2, size=5),
        "the gates i f g o in the order i o f g",  # ONNX's, as it stores them
    ),
    (nn.GRU(3, 5), (2, 1, 3), "bias_hh_l0", rows(1, 0, 2, size=5), "the gates r z n in the order z r n"),
    (
        Flat(),
        (1, 2, 5, 6),
        "fc.weight",
        lambda w: w.reshape(7, 3, 4, 5).permute(0, 2, 3, 1).reshape(7, 60),
        "(C H W) in the order (H W C)",
    ),
]


@pytest.mark.parametrize(("module", "shape", "key", "wrong", "said"), SAID)
def test_a_wrong_order_is_named(
    module: nn.Module,
    shape: tuple[int, ...],
    key: str,
    wrong: Callable[[torch.Tensor], torch.Tensor],
    said: str,
) -> None:
    original = shapeinspect.inspect(module, shape)
    kept = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    port = copy.deepcopy(module)
    state = dict(kept)
    state[key] = wrong(kept[key]).contiguous()
    assert not torch.equal(state[key], kept[key])
    port.load_state_dict(state)
    found = shapeinspect.diff(original, shapeinspect.inspect(port, shape), values=True)
    (weight,) = [one for layer in found.layers for one in layer.weights if one.status != "same"]
    gap = float((state[key] - kept[key]).abs().max())
    text, line = weight.why
    assert text == f"its values differ by up to {gap:.3g}: B's are A's with {said}"
    array = kept[key].numpy()
    names = {
        "A": array.reshape(-1, 5, *array.shape[1:]) if "gates" in said else array,
        "rearrange": rearrange,
    }
    exec(line, names)
    np.testing.assert_array_equal(np.reshape(names["B"], array.shape), state[key].numpy())


def test_other_numbers_are_no_other_order() -> None:
    one, other = nn.Linear(5, 5), nn.Linear(5, 5)
    found = shapeinspect.diff(
        shapeinspect.inspect(one, (2, 5)), shapeinspect.inspect(other, (2, 5)), values=True
    )
    assert all("A's" not in why for weight in found.layers[0].weights for why in weight.why)
    with torch.no_grad():  # the same numbers, but two of them in each other's place
        other.weight.copy_(one.weight)
        other.weight[0, 0], other.weight[1, 2] = one.weight[1, 2], one.weight[0, 0]
    found = shapeinspect.diff(
        shapeinspect.inspect(one, (2, 5)), shapeinspect.inspect(other, (2, 5)), values=True
    )
    assert "A's" not in found.layers[0].weights[0].why[0]


def test_axes_that_nothing_names_are_told_by_their_places(saved: Callable[..., str]) -> None:
    weight = torch.rand(4, 4, 2, 3)
    a, b = saved({"w": weight}, "a.pt"), saved({"w": weight.transpose(0, 1).contiguous()}, "b.pt")
    (layer,) = shapeinspect.diff(a, b, values=True).layers
    assert layer.weights[0].why[0].endswith(": B's are A's with axis 0 and axis 1 swapped")
    assert layer.weights[0].why[1] == "B = rearrange(A, 'd0 d1 d2 d3 -> d1 d0 d2 d3')"
