"""The settings that LayerReport declares: of the declared type, listed by dir, and no other ones."""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

import keras
import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect import LayerReport
from shapeinspect.api.layer_settings import LayerSettings, Setting
from shapeinspect.dims import UNKNOWN, Expr, Unknown, symbol
from shapeinspect.rules import KINDS

DECLARED = {name: value for name, value in vars(LayerSettings).items() if isinstance(value, Setting)}


def of_type(value: object, declared: Any) -> bool:
    """Hold a value against a type as a checker reads it; an int is no bool."""
    if isinstance(declared, types.UnionType):
        return any(of_type(value, one) for one in get_args(declared))
    if get_origin(declared) is tuple:
        args = get_args(declared)
        if not isinstance(value, tuple):
            return False
        if args[-1] is Ellipsis:
            return all(of_type(one, args[0]) for one in value)
        return len(value) == len(args) and all(map(of_type, value, args))
    if declared is None or declared is type(None):
        return value is None
    return isinstance(value, declared) and isinstance(value, bool) == (declared is bool)


def declared_type(name: str) -> Any:
    """The T of ``Setting[T]``."""
    [declared] = get_args(DECLARED[name].__orig_class__)
    return declared


class Functions(nn.Module):
    """Calls of functions, which become layers of their own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1, 2).mean(1, keepdim=True).squeeze(1)
        return torch.einsum("nw,wk->nk", x, torch.ones(7, 9)) + 1


TORCH: list[tuple[nn.Module, Any]] = [
    (nn.Conv2d(6, 4, (3, 5), 2, (1, 2), (2, 1), 2, padding_mode="reflect"), (2, 6, 17, 19)),
    (nn.Conv1d(3, 4, 5, padding="same"), (2, 3, 17)),
    (nn.ConvTranspose2d(6, 4, 3, 2, output_padding=1), (2, 6, 7, 9)),
    (nn.AvgPool2d((2, 3), ceil_mode=True), (2, 3, 7, 11)),
    (nn.MaxPool1d(3), (2, 3, 7)),
    (nn.AdaptiveAvgPool2d((5, None)), (2, 3, 7, 11)),
    (nn.AdaptiveAvgPool1d(5), (2, 3, 7)),
    (nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Softmax(-1)), (2, 7)),
    (nn.Embedding(11, 7), "2,3:int64"),
    (nn.BatchNorm2d(3, momentum=None), (2, 3, 7, 11)),
    (nn.BatchNorm1d(3), (2, 3)),
    (nn.InstanceNorm1d(3), (2, 3, 7)),
    (nn.LayerNorm((3, 5)), (2, 3, 5)),
    (nn.GroupNorm(2, 6), (3, 6, 5)),
    (nn.LSTM(5, 7, 2, batch_first=True, bidirectional=True, proj_size=3), (2, 4, 5)),
    (nn.MultiheadAttention(6, 2, kdim=5, vdim=7, batch_first=True), [(3, 4, 6), (3, 8, 5), (3, 8, 7)]),
    (Functions(), (2, 3, 5, 7)),
]


def keras_model() -> keras.Model:
    """Layers whose settings come from Keras."""
    image = keras.Input((17, 19, 3))
    x = keras.layers.SeparableConv2D(8, 3, padding="same", depth_multiplier=2)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.LayerNormalization(axis=-1)(x)
    x = keras.layers.Reshape((-1, 8))(x)
    x = keras.layers.GRU(7, return_sequences=True, return_state=True)(x)[0]
    x = keras.layers.GroupQueryAttention(5, 4, 2)(x, x)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(x)))


@pytest.fixture(scope="module")
def layers() -> list[LayerReport]:
    reports = [shapeinspect.inspect(module.eval(), shape) for module, shape in TORCH]
    reports += [shapeinspect.inspect(keras_model()), shapeinspect.inspect("tests/data/lenet.onnx")]
    return [layer for report in reports for layer in report]


def settings(layers: list[LayerReport]) -> Iterator[tuple[str, LayerReport, Any]]:
    for layer in layers:
        for name in layer.attributes:
            if name in DECLARED:
                yield name, layer, getattr(layer, name)


def test_every_declared_setting_is_of_its_type(layers: list[LayerReport]) -> None:
    wrong = {
        (name, layer.kind, value)
        for name, layer, value in settings(layers)
        if not of_type(value, declared_type(name))
    }
    assert wrong == set()


def test_every_declared_setting_exists(layers: list[LayerReport]) -> None:
    seen = defaultdict(set)
    for name, layer, _ in settings(layers):
        seen[name].add(layer.kind)
    assert DECLARED.keys() - seen.keys() == set()


def test_every_declared_setting_is_an_attribute_of_a_kind() -> None:
    assert DECLARED.keys() - {one.name for kind in KINDS.values() for one in kind.attributes} == set()


@pytest.mark.parametrize(
    ("declared", "fits", "does_not"),
    [
        (int, 3, True),
        (bool, True, 1),
        (tuple[int, ...], (3, 5), (3, None)),
        (tuple[tuple[int, int], ...] | str, ((1, 2),), ((1, 2, 3),)),
        (int | Expr | Unknown, UNKNOWN, "3"),
        (int | Expr | Unknown, symbol("N"), 3.5),
        (float | None, None, "eps"),
    ],
)
def test_types_are_told_apart(declared: Any, fits: object, does_not: object) -> None:
    assert of_type(fits, declared)
    assert not of_type(does_not, declared)


def test_dir_lists_what_the_layer_has(layers: list[LayerReport]) -> None:
    for layer in layers:
        listed = dir(layer)
        assert {"path", "kind", "weights", "in_channels", "output_shape"} <= set(listed)
        assert DECLARED.keys() & set(listed) == DECLARED.keys() & layer.attributes.keys()
        assert layer.attributes.keys() <= set(listed)
        assert all(hasattr(layer, name) for name in listed)


def test_a_setting_that_the_layer_lacks() -> None:
    relu = shapeinspect.inspect("tests/data/lenet.onnx")["relu1"]
    with pytest.raises(AttributeError) as caught:
        _ = relu.kernel_size
    assert str(caught.value) == (
        "layer \"relu1\" (activation) has no attribute 'kernel_size'; it has: function"
    )
    assert getattr(relu, "stride", None) is None


def test_a_setting_cannot_be_changed() -> None:
    conv = shapeinspect.inspect("tests/data/lenet.onnx")["conv1"]
    write: Callable[[Any, str, Any], None] = setattr
    with pytest.raises(AttributeError):
        write(conv, "kernel_size", (3, 3))
    assert conv.kernel_size == (5, 5)
