"""``x[key]`` is slices, indexes, new axes and gathers, with the shapes that torch gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from shapeinspect.infer import infer
from shapeinspect.rules import output_shapes
from shapeinspect.testing import check_vocabulary
from shapeinspect_torch.vocabulary.indexing import index_steps

Z = torch.arange(20).reshape(4, 5) % 3
ROW = torch.tensor([1, 0, 1, 1, 0])

# The key, and the kinds of its steps.
KEYS: list[tuple[Any, list[str]]] = [
    (0, ["index"]),
    (-1, ["index"]),
    (slice(1, None), ["slice"]),
    (slice(None, None, 2), ["slice"]),
    (slice(-3, -1), ["slice"]),
    (slice(5, 90), ["slice"]),
    (..., ["identity"]),
    ((), ["identity"]),
    (slice(None), ["identity"]),
    (None, ["unsqueeze"]),
    ((None, None), ["unsqueeze"]),
    ((..., None), ["unsqueeze"]),
    ((slice(None), None, ..., None), ["unsqueeze"]),
    ((0, slice(None), None, slice(1, 3)), ["slice", "index", "unsqueeze"]),
    ((0, 1, 2, 3), ["index"] * 4),
    ((0, ..., -1), ["index"] * 2),
    ((..., 0, slice(2, 9, 3)), ["slice", "index"]),
    ((None, 0, None, 1, None), ["index", "index", "unsqueeze"]),
    ((slice(None), slice(1, 3), 4, None), ["slice", "index", "unsqueeze"]),
    ((slice(0, 0), None), ["slice", "unsqueeze"]),
    (ROW, ["gather"]),
    (Z % 2, ["gather"]),
    (torch.tensor(1), ["gather"]),
    ((slice(None), Z), ["gather"]),
    ((slice(None), [2, 0]), ["gather"]),
    ((slice(None), [[2, 0], [1, 1]]), ["gather"]),
    ([1, 0, 1], ["gather"]),
    (np.array([1, 0, 1]), ["gather"]),
    ((slice(None), np.int64(2)), ["index"]),
    ((slice(None), range(1, 3)), ["gather"]),
    ((..., Z), ["gather"]),
    ((..., Z, slice(None), 0), ["index", "gather"]),
    ((0, slice(None), ROW), ["index", "gather"]),
    ((0, ROW), ["index", "gather"]),
    ((None, slice(None), Z), ["unsqueeze", "gather"]),
    ((slice(None), Z, None), ["unsqueeze", "gather"]),
    ((slice(1, 2), Z, None, slice(None, None, 4), -2), ["slice", "index", "unsqueeze", "gather"]),
    ((slice(None), slice(1, 6), slice(None), ROW), ["slice", "gather"]),
    ((torch.tensor([1, 0]), torch.tensor([2, 0])), ["unknown"]),
    ((ROW, slice(None), ROW), ["unknown"]),
    ((slice(None), ROW, ROW, 0), ["index", "unknown"]),
    ((None, ROW[:, None], slice(None, 2), ROW), ["slice", "unsqueeze", "unknown"]),
]


class Item(nn.Module):
    def __init__(self, key: Any) -> None:
        super().__init__()
        self.key = key

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x[self.key])


@pytest.mark.parametrize(("key", "kinds"), KEYS, ids=[str(key) for key, _ in KEYS])
def test_the_steps_of_an_index(key: Any, kinds: list[str]) -> None:
    x = torch.arange(2 * 3 * 7 * 10).reshape(2, 3, 7, 10)
    steps = index_steps(key, x.dim())
    assert [step.kind for step in steps] == kinds
    numbers, shape = x, tuple(x.shape)
    for step in steps:
        if step.kind == "unknown":
            return
        tensors = tuple(map(torch.as_tensor, step.tensors))
        made = output_shapes(step.kind, step.attributes, (shape, *(tuple(one.shape) for one in tensors)))[0]
        numbers = done(step.kind, step.attributes, numbers, tensors)
        assert made == tuple(numbers.shape)
        shape = made
    assert torch.equal(numbers, x[key])


def done(kind: str, attributes: dict[str, Any], x: torch.Tensor, tensors: tuple[torch.Tensor, ...]) -> Any:
    """Do what a step says with functions of torch that index nothing."""
    if kind == "slice":
        for axis, start, end, step in zip(
            *(attributes[k] for k in ("axes", "starts", "ends", "steps")), strict=True
        ):
            places = torch.tensor(range(x.shape[axis])[slice(start, end, step)], dtype=torch.int64)
            x = x.index_select(axis, places)
        return x
    if kind == "index":
        return x.select(attributes["axis"], attributes["index"])
    if kind == "unsqueeze":
        for axis in attributes["axes"]:
            x = x.unsqueeze(axis)
        return x
    if kind == "gather":
        axis, (places,) = attributes["axis"], tensors
        found = x.index_select(axis, places.flatten())
        return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    return x


@pytest.mark.parametrize(("key", "kinds"), KEYS, ids=[str(key) for key, _ in KEYS])
def test_a_traced_index(key: Any, kinds: list[str], read: Any) -> None:
    x = torch.randn(2, 3, 7, 10)
    model = read(Item(key), x)
    check_vocabulary(model)
    layers = {layer.path: layer for layer in model.layers}
    assert [layers[call.layer].kind for call in model.calls if call.layer.startswith("getitem")] == kinds
    assert [model.values[name].shape for name in model.outputs] == [tuple(x[key].shape)]
    assert infer(model).notes == model.notes == ()


@pytest.mark.parametrize(
    ("key", "axes"),
    [
        ((0, slice(None), None, slice(1, 3)), ("C", None, "H", "W")),
        ((slice(None), slice(1, 3), 4, None), ("N", "C", None, "W")),
        ((..., None, 0), ("N", "C", "H", None)),
        ((slice(None), Z), ("N", None, None, "H", "W")),
        ((0, slice(None), ROW), ("C", None, "W")),
        ((None, slice(None), slice(None), Z), (None, "N", "C", None, None, "W")),
    ],
)
def test_axes_keep_their_names(key: Any, axes: tuple[str | None, ...], read: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(5, 3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)[key]

    model = infer(read(Net(), torch.randn(2, 5, 9, 12)))
    assert model.values[model.outputs[0]].axes == axes


def test_a_mask_is_unknown() -> None:
    (step,) = index_steps(torch.ones(2, 3, dtype=torch.bool), 4)
    assert step.kind == "unknown"
    assert index_steps((slice(None), [True, False, True]), 4)[0].kind == "unknown"
    assert index_steps(True, 4)[0].kind == "unknown"


def test_too_many_indices_are_refused() -> None:
    with pytest.raises(IndexError):
        index_steps((0, 0, 0), 2)
    with pytest.raises(TypeError):
        index_steps("a", 2)
