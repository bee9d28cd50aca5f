"""Models without weights, and settings of layers without weights, are compared step by step."""

from __future__ import annotations

import pytest

import shapeinspect


@pytest.fixture
def layers():
    import keras

    return keras.layers


def model(*steps):
    import keras

    return keras.Sequential([keras.Input((11, 7)), *steps])


def told(a, b) -> list[tuple[str, ...]]:
    difference = shapeinspect.diff(a, b)
    assert difference.same == all(pair.status == "same" for pair in difference.layers)
    return [
        (pair.status, pair.kind, *(f"{item.name} {item.a} {item.b}" for item in pair.settings))
        for pair in difference.layers
    ]


def test_one_layer_without_weights(layers):
    assert told(model(layers.Dropout(0.2)), model(layers.Dropout(0.5))) == [
        ("differs", "dropout", "rate 0.2 0.5")
    ]
    assert told(model(layers.Dropout(0.2)), model(layers.Dropout(0.2))) == [("same", "dropout")]
    assert told(model(layers.ReLU()), model(layers.Softmax())) == [
        ("differs", "activation", "kind activation softmax")
    ]


def test_a_step_more_is_only_in_one(layers):
    a = model(layers.ReLU(), layers.MaxPooling1D(2))
    b = model(layers.ReLU(), layers.GaussianNoise(0.3), layers.MaxPooling1D(3))
    assert told(a, b) == [
        ("same", "activation"),
        ("only_b", "dropout"),
        ("differs", "max_pool", "stride 2 3", "kernel_size 2 3"),
    ]


def test_a_live_torch_model_without_an_input():
    from torch import nn

    assert told(nn.Dropout(0.2), nn.Dropout(0.4)) == [("differs", "dropout", "rate 0.2 0.4")]
    assert told(nn.Sequential(nn.ReLU(), nn.Dropout(0.2)), nn.Sequential(nn.ReLU(), nn.Dropout(0.2))) == [
        ("same", "activation"),
        ("same", "dropout"),
    ]


def test_a_rate_between_layers_with_weights(layers):
    a, b = (model(layers.Dense(5), layers.Dropout(rate), layers.Dense(3)) for rate in (0.2, 0.4))
    assert ("differs", "dropout", "rate 0.2 0.4") in told(a, b)
