"""The functions that are written into Keras layers: read from files and live ones, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

import shapeinspect
from shapeinspect.compare.result import SettingPair

NAMES = ("activation", "cell_function", "gate_function")


def network(keras, function: object, gate: str = "sigmoid"):
    layers = keras.layers
    words = keras.Input((11, 5), name="words")
    x = layers.Conv1D(7, 3, activation=function, name="conv")(words)
    x = layers.LSTM(6, recurrent_activation=gate, return_sequences=True, name="lstm")(x)
    x = layers.TimeDistributed(layers.Dense(9, activation=function), name="each")(x)
    return keras.Model(words, layers.Dense(4, name="last")(x))


def told(report) -> dict[str, dict[str, object]]:
    return {
        layer.path: {name: layer.attributes[name] for name in NAMES if name in layer.attributes}
        for layer in report
        if layer.weights
    }


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_files_and_live_models_say_the_same(keras, ending: str, tmp_path: Path) -> None:
    live = network(keras, "gelu", "hard_sigmoid")
    live.save(tmp_path / f"m{ending}")
    found = told(shapeinspect.inspect(tmp_path / f"m{ending}"))
    assert found == {
        "conv": {"activation": "gelu"},
        "lstm": {"cell_function": "tanh", "gate_function": "hard_sigmoid"},
        "each": {"activation": "gelu"},
        "last": {},
    }
    assert told(shapeinspect.inspect(live)) == found


def test_a_layer_as_an_activation_goes_by_what_it_is(keras, tmp_path: Path) -> None:
    for function, name in (
        (keras.layers.LeakyReLU(negative_slope=0.125), "leaky_relu"),
        (keras.activations.log_softmax, "log_softmax"),
        (keras.activations.silu, "silu"),
    ):
        start = keras.Input((5,), name="start")
        model = keras.Model(start, keras.layers.Dense(3, activation=function, name="fc")(start))
        model.save(tmp_path / "m.keras")
        assert told(shapeinspect.inspect(tmp_path / "m.keras"))["fc"] == {"activation": name}


def test_another_function_is_a_difference(keras) -> None:
    one, other = network(keras, "relu"), network(keras, "gelu", "hard_sigmoid")
    assert shapeinspect.diff(one, network(keras, "relu")).same
    found = shapeinspect.diff(one, other)
    settings = {(pair.a, *(s.name for s in pair.settings)) for pair in found.layers if pair.settings}
    assert settings == {("conv", "function"), ("lstm", "gate_function"), ("each", "function")}


def torch_network(function: str):
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(5, 7, 3)
            self.act = getattr(nn, function)()
            self.lstm = nn.LSTM(7, 6, batch_first=True)
            self.each = nn.Linear(6, 9)
            self.act2 = getattr(nn, function)()
            self.last = nn.Linear(9, 4)

        def forward(self, x):
            x = self.act(self.conv(x)).transpose(1, 2)
            x, _ = self.lstm(x)
            return self.last(self.act2(self.each(x)))

    return Net()


def differences(keras_model, torch_model) -> set[tuple[str, str]]:
    found = shapeinspect.diff(keras_model, torch_model, input_b=(1, 5, 11))
    assert {pair.a for pair in found.layers if pair.a} >= {"conv", "lstm", "each", "last"}
    return {(pair.a, s.name) for pair in found.layers for s in pair.settings}


def test_torch_keeps_its_functions_in_layers_of_their_own(keras) -> None:
    assert differences(network(keras, "relu"), torch_network("ReLU")) == set()
    assert differences(network(keras, "silu"), torch_network("SiLU")) == set()
    assert differences(network(keras, "hard_tanh"), torch_network("Hardtanh")) == set()
    # Keras has none where torch has one behind.
    assert differences(network(keras, None), torch_network("ReLU")) == {
        ("conv", "function"),
        ("each", "function"),
    }
    assert differences(network(keras, "relu", "hard_sigmoid"), torch_network("GELU")) == {
        ("conv", "function"),
        ("each", "function"),
        ("lstm", "gate_function"),  # torch's is the sigmoid, always
    }


@pytest.mark.parametrize("functions", [("relu", None), (None, "relu")])
def test_a_function_that_only_one_layer_has_is_a_difference(keras, functions: tuple[str | None, ...]) -> None:
    def network(function: str | None):
        layers = [keras.Input((9, 10, 3)), keras.layers.Conv2D(4, 5, activation=function, name="conv")]
        return keras.Sequential(layers)

    found = shapeinspect.diff(*map(network, functions))
    assert [(pair.a, pair.settings) for pair in found.layers if pair.settings] == [
        ("conv", (SettingPair("function", *(name or "none" for name in functions)),))
    ]


def test_a_function_inside_a_layer_is_that_of_a_layer_behind_it(keras) -> None:
    behind = [keras.layers.Conv2D(4, 5, name="conv"), keras.layers.Activation("relu")]
    inside = [keras.layers.Conv2D(4, 5, activation="relu", name="conv")]
    a, b = (keras.Sequential([keras.Input((9, 10, 3)), *layers]) for layers in (behind, inside))
    assert shapeinspect.diff(a, b).same
