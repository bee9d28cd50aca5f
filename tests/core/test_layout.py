"""Patterns, tables and the shapes that follow from them, derived by hand."""

from __future__ import annotations

import numpy as np
import pytest
from einops import rearrange

from shapeinspect.errors import LayoutError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Layout, Model, Weight
from shapeinspect.layout import Row, Table, common_shape, expand, normalize, parse, permutation, transform


@pytest.mark.parametrize(
    ("layout", "shape", "common"),
    [
        (Layout("kh kw i o", "o i kh kw"), (5, 7, 3, 11), (11, 3, 5, 7)),
        (Layout("kh kw c m", "(c m) 1 kh kw"), (5, 7, 3, 2), (6, 1, 5, 7)),
        (Layout("(g i) o kh kw", "(g o) i kh kw", Frozen(g=2)), (6, 5, 3, 7), (10, 3, 3, 7)),
        (Layout("i (gate o)", "gate o i", Frozen(gate=4)), (300, 444), (4, 111, 300)),
        (Layout("kl 1 i o", "o i kl"), (5, 1, 300, 111), (111, 300, 5)),
    ],
)
def test_the_common_shape_is_what_einops_makes(
    layout: Layout, shape: tuple[int, ...], common: tuple[int, ...]
) -> None:
    assert common_shape(layout, shape) == common
    assert rearrange(np.zeros(shape, np.int8), transform(layout), **layout.sizes).shape == common


def test_a_permutation_is_found_by_role_and_never_by_size() -> None:
    assert permutation(Layout("kh kw i o", "o i kh kw")) == (3, 2, 0, 1)
    assert permutation(Layout("(g i) o kh kw", "(g o) i kh kw")) is None
    assert permutation(Layout("o i", "o i", flips=("o",))) is None


@pytest.mark.parametrize(
    ("native", "shape", "sizes", "message"),
    [
        ("o i", (3, 4, 5), {}, "has 2 axes"),
        ("(gate o) i", (10, 4), {"gate": 4}, "has length 10"),
        ("(gate o) i", (12, 4), {}, "cannot be split"),
        ("(a b) i", (12, 4), {"a": 3, "b": 5}, "has length 12"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(
    native: str, shape: tuple[int, ...], sizes: dict[str, int], message: str
) -> None:
    with pytest.raises(LayoutError, match=message):
        common_shape(Layout(native, native, Frozen(sizes)), shape)


@pytest.mark.parametrize("text", ["o i)", "(o i", "((o) i)", "o o", "o-i", "o, i", "2 o"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(LayoutError):
        parse(text)


def test_stars_stand_for_any_rank() -> None:
    assert [expand("*k i o", ndim) for ndim in (3, 4, 5)] == ["kl i o", "kh kw i o", "kd kh kw i o"]
    with pytest.raises(LayoutError):
        expand("*k i o", 1)


def test_a_table_binds_by_type_role_and_rank() -> None:
    table = Table(
        [
            Row("Convolution1D", "W", "kl 1 i o", "o i kl"),
            Row("Conv1D Conv2D", "kernel", "*k i o", "o i *k"),
            Row("ConvT", "weight", "(g i) o *k", "(g o) i *k", flips=("*k",), slot="weight"),
        ],
        {"kernel": "weight", "W": "weight"},
    )
    assert table.bind("Conv2D", "kernel", 4) == Layout("kh kw i o", "o i kh kw", slot="weight")
    assert table.bind("Convolution1D", "W", 4) == Layout("kl 1 i o", "o i kl", slot="weight")
    assert table.bind("Convolution1D", "W", 3) is None
    assert table.bind("Conv2D", "bias", 1) is None
    bound = table.bind("ConvT", "weight", 4, {"g": 2, "gate": 4})
    assert bound == Layout("(g i) o kh kw", "(g o) i kh kw", Frozen(g=2), (), ("kh", "kw"), "weight")


def test_a_row_whose_sides_differ_is_refused() -> None:
    with pytest.raises(LayoutError, match="differ"):
        Table([Row("Dense", "kernel", "i o", "o j")])


def test_a_weight_that_contradicts_its_layout_loses_it_and_is_named() -> None:
    good = Weight("a", "kernel", (3, 4), layout=Layout("i o", "o i"))
    bad = Weight("b", "kernel", (3, 4, 5), layout=Layout("i o", "o i"))
    model = normalize(Model("m", "f", "f", "a", (Layer("fc", "linear", "Dense", weights=(good, bad)),)))
    first, second = model.layers[0].weights
    assert first.common_shape == (4, 3)
    assert (second.layout, second.common_shape) == (None, None)
    assert [note.about for note in model.notes] == ["fc"]
    assert '"b" (3, 4, 5)' in model.notes[0].text
