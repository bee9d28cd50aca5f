"""Receptive fields against gradients: what an output depends on, found by torch's backward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import shapeinspect
from shapeinspect.rules.receptive import (
    SAME,
    Reach,
    adaptive,
    linear,
    nearest,
    sliding,
    through,
    transposed,
    union,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def seen(op: Any, n: int, places: Sequence[int]) -> list[tuple[int, int] | None]:
    """Return the first and last input position that each output position depends on, by its gradient.

    Every place has a copy of the input of its own, so that one pass back answers for all of them.
    """
    x = torch.ones(len(places), 1, n, dtype=torch.float64, requires_grad=True)
    op(x)[torch.arange(len(places)), 0, torch.tensor(places)].sum().backward()
    rows = [row.nonzero().flatten().tolist() for row in x.grad[:, 0]]
    return [(row[0], row[-1]) if row else None for row in rows]


def inside(reach: Reach, place: int, n: int) -> tuple[int, int] | None:
    """Clip a range to the input."""
    low, high = reach.range(place)
    low, high = max(low, 0), min(high, n - 1)
    return (low, high) if low <= high else None


def whole(reach: Reach, place: int, n: int) -> bool:
    """Tell whether an output sees no padding: there a gradient shows both ends of its range."""
    low, high = reach.range(place)
    return low >= 0 and high < n


def plain(layer: nn.Module) -> nn.Module:
    """Fill a convolution with ones, so that no gradient vanishes by chance."""
    for parameter in layer.parameters():
        nn.init.ones_(parameter)
    return layer.double()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3), st.integers(12, 23))
def test_a_sliding_window(k: int, s: int, p: int, d: int, n: int) -> None:
    op = plain(nn.Conv1d(1, 1, k, s, p, d, bias=False))
    reach = sliding(k, s, p, d)
    places = range((n + 2 * p - d * (k - 1) - 1) // s + 1)
    clear = [place for place in places if whole(reach, place, n)]
    if clear:
        assert seen(op, n, clear) == [reach.range(place) for place in clear]
    assert clear or d * (k - 1) + s > n - 2 * p


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 1), st.integers(3, 7))
def test_a_transposed_convolution(k: int, s: int, p: int, n: int) -> None:
    p = min(p, (k - 1) // 2)
    op = plain(nn.ConvTranspose1d(1, 1, k, s, p, bias=False))
    reach = transposed(k, s, p)
    places = range(op(torch.ones(1, 1, n).double()).shape[-1])
    assert seen(op, n, places) == [inside(reach, place, n) for place in places]


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 17), st.integers(1, 19))
def test_adaptive_pools_and_interpolation(n: int, out: int) -> None:
    scale = torch.nn.functional.interpolate
    cases = (
        (lambda x: nn.functional.adaptive_avg_pool1d(x, out), adaptive(n, out)),
        (lambda x: scale(x, size=out, mode="nearest-exact"), nearest(n, out, exact=True)),
        (lambda x: scale(x, size=out, mode="nearest"), nearest(n, out)),
    )
    for op, reach in cases:
        assert seen(op, n, range(out)) == [inside(reach, place, n) for place in range(out)]
    for align in (False, True):
        if align and out == 1:
            continue  # one output has no last one to align
        op = partial(scale, size=out, mode="linear", align_corners=align)
        for place, got in enumerate(seen(op, n, range(out))):
            want = inside(linear(n, out, align), place, n)
            # torch works in floating point: beside a whole position it may read a neighbor by 1e-16
            assert got is not None
            assert want is not None
            assert got[0] <= want[1]
            assert want[0] <= got[1]
            assert abs(got[0] - want[0]) <= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(2, 4), st.integers(1, 3)), min_size=2, max_size=4))
def test_ops_in_a_row(rows: list[tuple[bool, int, int]]) -> None:
    """Convolutions and transposed ones behind one another, every output position."""
    ops, reach, n = [], SAME, 400
    for up, taps, s in rows:
        k = max(taps, s)
        ops.append(plain((nn.ConvTranspose1d if up else nn.Conv1d)(1, 1, k, s, bias=False)))
        step = transposed(k, s) if up else sliding(k, s)
        joined = through(reach, step)
        assert joined is not None
        reach = joined
    net = nn.Sequential(*ops)
    count = net(torch.ones(1, 1, n).double()).shape[-1]
    # At the ends an output would see positions of inner values that do not exist. From there on every
    # phase of the period is looked at, and some of the next one.
    places = range(count // 3, min(count // 3 + len(reach.lows) + 3, count - count // 3))
    assert seen(net, n, places) == [reach.range(place) for place in places]


def test_known_networks() -> None:
    """Two 3-convolutions see 5, three see 7, as the field's textbooks have it."""
    two = through(sliding(3), sliding(3))
    assert two is not None
    assert two.size == 5
    three = through(two, sliding(3))
    assert three is not None
    assert three.size == 7
    assert union(sliding(3, stride=2), sliding(3)) is None  # branches of different strides drift apart


class Branches(nn.Module):
    """A dilated branch, a strided one that is brought back up, and a skip around both."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 1, (3, 5), padding=(1, 2), bias=False)
        self.wide = nn.Conv2d(1, 1, 3, dilation=(2, 3), padding=(2, 3), bias=False)
        self.down = nn.Conv2d(1, 1, 4, stride=2, padding=1, bias=False)
        self.up = nn.ConvTranspose2d(1, 1, 4, 2, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        return torch.cat([self.wide(y), self.up(self.down(y))], 1) + y


def test_a_graph_with_branches() -> None:
    net = plain(Branches())
    height, width = 26, 34
    found = shapeinspect.explain(net, "add", (1, 1, height, width))[0].calls[0].field
    x = torch.ones(1, 1, height, width, dtype=torch.float64, requires_grad=True)
    row, column = 13, 17
    net(x)[0, :, row, column].sum().backward()
    hit = x.grad[0, 0].nonzero()
    reached = {"H": hit[:, 0], "W": hit[:, 1]}
    assert {field.axis for field in found} == {"H", "W"}
    for field in found:
        positions = reached[field.axis]
        extent = int(positions.max() - positions.min()) + 1
        assert field.jump == "1"
        # 13 and 17 are both odd places of the strided branch: one of the two phases
        assert field.least is not None
        assert field.size is not None
        assert field.least <= extent <= field.size
