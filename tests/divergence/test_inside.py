"""An activation inside of one side's layer is applied to what the other's returns, or said to be unknown."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.divergence.activations import FUNCTIONS, with_activation

#: Those of ONNX Runtime or TensorFlow, by the name that Keras has for them.
_NAMES = {"hard_swish": "hard_silu"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_that_of_keras(name: str) -> None:
    x = np.linspace(-7, 7, 45, dtype=np.float32).reshape(5, 9)
    wanted = np.asarray(keras.activations.get(_NAMES.get(name, name))(x))
    got = with_activation(x, name)
    assert got is not None
    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("layer", "settings"), [
    (keras.layers.LeakyReLU(negative_slope=0.05), {"negative_slope": 0.05}),
    (keras.layers.ELU(alpha=0.7), {"alpha": 0.7}),
])  # fmt: skip
def test_its_settings_are_taken(layer: keras.layers.Layer, settings: dict[str, float]) -> None:
    x = np.linspace(-3, 3, 45, dtype=np.float32).reshape(5, 9)
    name = {"LeakyReLU": "leaky_relu", "ELU": "elu"}[type(layer).__name__]
    got = with_activation(x, name, settings)
    assert got is not None
    np.testing.assert_allclose(got, np.asarray(layer(x)), rtol=1e-5, atol=1e-6)
    assert with_activation(x, name, {"threshold": 0.5}) is None


def pair(act: object, function: nn.Module) -> tuple[nn.Module, keras.Model]:
    """Return two linear layers with something between them, in both frameworks with the same weights."""
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(6, 9), function, nn.Linear(9, 4)).eval()
    inputs = keras.Input((6,))
    x = keras.layers.Dense(9, activation=act, name="first")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4, name="second")(x))
    for name, linear in (("first", module[0]), ("second", module[2])):
        model.get_layer(name).set_weights([p.detach().numpy().T for p in linear.parameters()])
    return module, model


@pytest.mark.parametrize(("act", "function"), [
    ("gelu", nn.GELU()), ("selu", nn.SELU()), ("mish", nn.Mish()), ("leaky_relu", nn.LeakyReLU(0.2)),
    ("softsign", nn.Softsign()), ("hard_silu", nn.Hardswish()),
])  # fmt: skip
def test_a_port_with_it_agrees(act: str, function: nn.Module) -> None:
    module, model = pair(act, function)
    found = shapeinspect.diverge(module, model, (3, 6))
    assert found.same, str(found)
    assert [step.verdict for step in found.steps] == ["same"] * 3


def test_another_slope_is_found_in_its_layer() -> None:
    module, model = pair("leaky_relu", nn.LeakyReLU())  # 0.2 is Keras's, 0.01 torch's
    found = shapeinspect.diverge(module, model, (3, 6))
    assert not found.same
    assert found.found[0].step.a == "1", str(found)
    assert "negative_slope is 0.01 in A, 0.2 in B" in str(found)


def twice(x: object) -> object:
    return keras.activations.relu(x) * 2


def test_what_is_not_known_is_not_compared() -> None:
    module, model = pair(twice, nn.ReLU())
    found = shapeinspect.diverge(module, model, (3, 6))
    first = next(step for step in found.steps if step.a == "0")
    assert first.verdict == "unseen"
    assert first.why == "what the twice inside of B computes is not known here"
    assert not found.same
