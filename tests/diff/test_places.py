"""In two models of one framework, what stands between the same layers is compared place by place."""

from __future__ import annotations

import pytest

import shapeinspect


@pytest.fixture
def keras():
    import keras

    return keras


def torch_network(*between):
    from torch import nn

    network = nn.Sequential(nn.Conv2d(3, 5, 3), *between, nn.Conv2d(5, 4, 1))
    return shapeinspect.inspect(network, input=(2, 3, 14, 17))


def keras_network(keras, *behind):
    return keras.Sequential([keras.Input((8, 12, 9)), keras.layers.Conv2D(10, 1), *behind])


def differences(a, b) -> list[tuple[str, str, str]]:
    pairs = [pair for pair in shapeinspect.diff(a, b).layers if pair.settings]
    return [(setting.name, setting.a, setting.b) for pair in pairs for setting in pair.settings]


def test_another_kind_of_pool_is_a_difference():
    from torch import nn

    a, b = torch_network(nn.MaxPool2d(2)), torch_network(nn.AvgPool2d(2))
    assert differences(a, b) == [("kind", "max_pool", "avg_pool")]
    a, b = torch_network(nn.Identity()), torch_network(nn.ReLU())
    assert differences(a, b) == [("function", "none", "relu"), ("kind", "identity", "activation")]
    assert differences(torch_network(nn.MaxPool2d(2)), torch_network(nn.MaxPool2d(2))) == []


def test_a_step_more_is_written_in_too_many_ways_to_be_a_difference():
    from torch import nn

    assert differences(torch_network(nn.MaxPool2d(2)), torch_network(nn.Identity(), nn.MaxPool2d(2))) == []


@pytest.mark.parametrize(
    ("layer", "a", "b", "expected"),
    [
        ("Flatten", "channels_last", "channels_first", ("data_format", "channels_last", "channels_first")),
        ("Reshape", (12, 80), (80, 12), ("shape", "12×80", "80×12")),
        ("UnitNormalization", -1, 1, ("axis", "-1", "1")),
    ],
)
def test_the_order_of_axes_is_compared(keras, layer: str, a, b, expected: tuple[str, str, str]):
    kind = getattr(keras.layers, layer)
    assert differences(keras_network(keras, kind(a)), keras_network(keras, kind(b))) == [expected]
    assert differences(keras_network(keras, kind(a)), keras_network(keras, kind(a))) == []


def test_layers_of_other_names_are_compared_by_their_places(keras):
    pools = (keras.layers.GlobalAveragePooling2D(), keras.layers.GlobalMaxPooling2D())
    a, b = (keras_network(keras, pool) for pool in pools)
    assert differences(a, b) == [("kind", "global_avg_pool", "global_max_pool")]
