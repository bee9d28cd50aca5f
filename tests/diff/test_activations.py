"""The activation behind a layer, or inside of one, is compared once, at the layer that it follows."""

from __future__ import annotations

import keras
import pytest
from torch import nn

import shapeinspect

L = keras.layers


def torch_net(act: nn.Module, pool: nn.Module) -> nn.Module:
    """C3 H9 W8: a convolution, a batch norm, an activation, a pool."""
    norm = nn.BatchNorm2d(5, eps=1e-3, momentum=0.01)
    return nn.Sequential(nn.Conv2d(3, 5, (3, 2)), norm, act, pool, nn.Conv2d(5, 4, 1)).eval()


def keras_net(act: L.Layer, pool: L.Layer) -> keras.Model:
    x = inputs = keras.Input((9, 8, 3))
    x = L.BatchNormalization(name="norm")(L.Conv2D(5, (3, 2), name="conv")(x))
    return keras.Model(inputs, L.Conv2D(4, 1, name="last")(pool(act(x))))


def found(act: nn.Module, pool: nn.Module, other: L.Layer, other_pool: L.Layer) -> list[tuple[str, ...]]:
    difference = shapeinspect.diff(torch_net(act, pool), keras_net(other, other_pool), input_a=(1, 3, 9, 8))
    return [
        (str(pair.a), str(pair.b), *(f"{item.name} {item.a} {item.b}" for item in pair.settings))
        for pair in difference.layers
        if pair.status != "same"
    ]


def test_it_is_told_of_the_norm_alone() -> None:
    pools = nn.MaxPool2d(2), L.MaxPooling2D(2)
    assert found(nn.ReLU6(), pools[0], L.ReLU(6.0), pools[1]) == []
    assert found(nn.ReLU6(), pools[0], L.ReLU(), pools[1]) == [("1", "norm", "function relu6 relu")]
    slopes = [("1", "norm", "negative_slope 0.01 0.3")]
    assert found(nn.LeakyReLU(), pools[0], L.LeakyReLU(), pools[1]) == slopes


def test_a_maximum_is_no_mean() -> None:
    act, other = nn.ReLU(), L.ReLU()
    assert found(act, nn.AvgPool2d(2), other, L.AveragePooling2D(2)) == []  # nothing is padded that counts
    assert found(act, nn.AvgPool2d(2), other, L.MaxPooling2D(2, name="pool")) == [
        ("3", "pool", "kind avg_pool max_pool")
    ]
    assert found(act, nn.MaxPool2d(2), other, L.AveragePooling2D(2, name="pool")) == [
        ("3", "pool", "kind max_pool avg_pool")
    ]


def test_a_mean_that_counts_its_padding() -> None:
    padded = nn.Sequential(nn.Conv2d(3, 5, 1), nn.AvgPool2d(3, 2, padding=1))
    without = nn.Sequential(nn.Conv2d(3, 5, 1), nn.AvgPool2d(3, 2, padding=1, count_include_pad=False))
    difference = shapeinspect.diff(padded, without, input_a=(1, 3, 9, 8), input_b=(1, 3, 9, 8))
    (pair,) = (pair for pair in difference.layers if pair.status != "same")
    assert [(item.name, item.a, item.b) for item in pair.settings] == [("count_include_pad", "True", "False")]


@pytest.mark.parametrize(("act", "function", "wanted"), [
    ("leaky_relu", nn.LeakyReLU(0.2), []),
    ("leaky_relu", nn.LeakyReLU(), ["negative_slope 0.01 0.2"]),
    (L.LeakyReLU(negative_slope=0.05), nn.LeakyReLU(0.2), ["negative_slope 0.2 0.05"]),
    (L.ReLU(max_value=6), nn.ReLU(), ["function relu relu6"]),
    (lambda x: x * 2, nn.ReLU(), ["function relu lambda"]),
])  # fmt: skip
def test_one_inside_has_its_settings(act: object, function: nn.Module, wanted: list[str]) -> None:
    module = nn.Sequential(nn.Linear(6, 9), function, nn.Linear(9, 4))
    inputs = keras.Input((6,))
    model = keras.Model(inputs, L.Dense(4)(L.Dense(9, activation=act)(inputs)))
    difference = shapeinspect.diff(module, model, input_a=(3, 6))
    settings = [item for pair in difference.layers for item in pair.settings]
    assert [f"{item.name} {item.a} {item.b}" for item in settings] == wanted
