"""A row that is wrong is found out, whether or not the lengths of its axes differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from layouts_built import move
from layouts_kinds import KINDS, Settings

from shapeinspect.errors import LayoutError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout.pattern import parse

Close = Callable[[Any, Any], None]

LENGTHS: dict[str, Settings] = {
    "conv2d": {"i": 3, "o": 5, "kernel": (2, 7), "space": (4, 9), "channels": 3},
    "conv2d transposed": {"i": 3, "o": 5, "kernel": (2, 7), "space": (4, 9), "channels": 3},
    "depthwise2d": {"c": 3, "m": 5, "kernel": (2, 7), "space": (4, 9), "channels": 3},
    "separable2d": {"c": 3, "m": 5, "o": 6, "kernel": (2, 7), "space": (4, 9), "channels": 3},
    "linear, Gemm": {"i": 3, "o": 6},
    "linear, Gemm(transB)": {"i": 3, "o": 6},
    "embedding": {"V": 7, "E": 3, "T": 5},
    "rnn": {"i": 3, "o": 5},
    "lstm": {"i": 3, "o": 5},
    "lstm, bidirectional": {"i": 3, "o": 5},
    "gru": {"i": 3, "o": 5},
    "gru, bidirectional": {"i": 3, "o": 5},
    "attention": {"heads": 2, "d": 3, "E": 6, "kdim": 6, "vdim": 6, "dv": 3, "out": 6, "T": 5},
}


def _wrong(layout: Layout, shape: tuple[int, ...]) -> Iterator[Layout]:
    """Yield a layout with each pair of neighbors swapped: axes, parts of an axis, gates, slots."""
    labels = parse(layout.native).labels
    for at in range(len(labels) - 1):
        if (
            "1" not in labels[at : at + 2]
            and "dir" not in labels[at : at + 2]
            and shape[at : at + 2] != (1, 1)
        ):
            turned = [*labels[:at], labels[at + 1], labels[at], *labels[at + 2 :]]
            yield replace(layout, native=" ".join(turned))
    for names in parse(layout.native).axes:
        if len(names) == 2 and set(names) != {"g", "i"}:
            one, other = f"({' '.join(names)})", f"({' '.join(reversed(names))})"
            yield replace(layout, native=layout.native.replace(one, other))
    for axis, native, common in layout.orders:
        first, second, *rest = native.split()
        yield replace(layout, orders=((axis, " ".join([second, first, *rest]), common),))
    for axis, names in layout.splits:
        if len(names) > 1 and axis != "two":  # a GRU alone would tell the two biases apart, and for one gate
            rest = tuple(split for split in layout.splits if split[0] != axis)
            yield replace(layout, splits=((axis, names[::-1]), *rest))


def _cases() -> list[Any]:
    cases = []
    for name, more in LENGTHS.items():
        for side in KINDS[name].builders:
            for lengths, chosen in (("differ", {**KINDS[name].equal, **more}), ("equal", KINDS[name].equal)):
                cases.append(pytest.param(name, side, chosen, id=f"{name}-{side}-{lengths}"))
    return cases


@pytest.mark.parametrize(("name", "side", "chosen"), _cases())
def test_every_swap_in_a_row_is_found_out(close: Close, name: str, side: str, chosen: Settings) -> None:
    kind = KINDS[name]
    built = kind.builders[side](chosen)
    target = kind.builders["torch" if side != "torch" else "onnx"](chosen)
    inputs = kind.inputs(chosen, np.random.default_rng(5))
    expected = built.run(*inputs)
    move(built.weights, target)
    close(target.run(*inputs), expected)
    swaps = 0
    for at, weight in enumerate(built.weights):
        assert weight.layout is not None
        if weight.layout.slot == "k.bias":  # the softmax takes it off again: it changes no output
            continue
        for wrong in _wrong(weight.layout, weight.shape):
            swaps += 1
            weights = [*built.weights]
            weights[at] = replace(weight, layout=wrong)
            try:
                move(weights, target)
            except LayoutError:  # lengths that differ give it away at once
                continue
            assert not np.allclose(target.run(*inputs), expected, rtol=1e-3, atol=1e-3), wrong
    assert swaps


def test_a_missing_flip_is_found_out() -> None:
    """Theano turns a kernel around; one that is taken as it stands gives another output."""
    kind = KINDS["conv2d"]
    built, target = (kind.builders[side](kind.equal) for side in ("keras", "torch"))
    inputs = kind.inputs(kind.equal, np.random.default_rng(5))
    kernel, bias = built.weights
    assert kernel.layout is not None
    turned = replace(kernel, layout=replace(kernel.layout, flips=("kh", "kw"), sizes=Frozen()))
    move([turned, bias], target)
    assert not np.allclose(target.run(*inputs), built.run(*inputs), rtol=1e-3, atol=1e-3)
