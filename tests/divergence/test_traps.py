"""Ports that went wrong in one layer: the first pair that parts is that layer, and its reason is tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

import shapeinspect


class Net(nn.Module):
    """C3 H9 W8: a convolution with a batch norm, one with a pool, a flatten, an LSTM of one step."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6, eps=1e-3)
        self.second = nn.Conv2d(6, 5, (3, 2))
        self.hidden = nn.Linear(5 * 7 * 7, 11)
        self.out = nn.Linear(11, 4)
        self.six = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = nn.functional.relu6(self.second(x)) if self.six else torch.relu(self.second(x))
        return self.out(torch.relu(self.hidden(x.flatten(1))))


def keras_net() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((9, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(5, (3, 2), activation="relu", name="second")(x)
    x = layers.Dense(11, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(4, name="out")(x))


def ported(tmp_path: Path, factor: float = 1.0) -> tuple[Net, keras.Model]:
    """Return a module and the Keras model with the same weights, the second convolution's times a factor."""
    torch.manual_seed(3)
    module, model = Net().eval(), keras_net()
    for key, tensor in module.state_dict().items():
        if tensor.dtype.is_floating_point:
            tensor.copy_(torch.rand_like(tensor) * 0.2 + (0.4 if "var" in key else -0.1))
    module.second.weight.data *= factor
    written = shapeinspect.normalize(module, tmp_path / "w.safetensors", like=model, script=True)
    space: dict[str, Any] = {"__name__": "load_weights"}
    assert written.script is not None
    exec(compile(written.script, "load.py", "exec"), space)  # the script that a user runs
    space["load"](model)
    return module, model


def test_a_port_that_is_right_agrees_in_every_layer(tmp_path: Path) -> None:
    module, model = ported(tmp_path)
    for found in (shapeinspect.diverge(module, model), shapeinspect.diverge(model, module)):
        assert found.same, str(found)
        assert {step.a for step in found.steps if step.verdict == "same"} >= {
            "first", "norm", "second", "hidden", "out", "output",
        }  # fmt: skip
        assert found.verdict == "all 5 layers that could be compared agree, and so does the output"


def _only_transposed(model: keras.Model) -> None:
    """Take the kernel of the layer behind the flatten as if both flattened in one order."""
    kernel = model.get_layer("hidden").kernel
    kernel.assign(kernel.numpy().reshape(7, 7, 5, 11).transpose(2, 0, 1, 3).reshape(245, 11))


def _exchanged(model: keras.Model) -> None:
    norm = model.get_layer("norm")
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    norm.moving_mean.assign(variance)
    norm.moving_variance.assign(np.abs(mean))


def _turned(model: keras.Model) -> None:
    kernel = model.get_layer("second").kernel
    kernel.assign(kernel.numpy()[::-1, ::-1])


@pytest.mark.parametrize(
    ("spoil", "layer", "words"),
    [
        (_only_transposed, "hidden", "weight: its values differ by up to"),
        (_exchanged, "norm", "mean: its values differ by up to"),
        (_turned, "second", "the kernel"),
    ],
)
def test_a_weight_that_was_moved_wrongly_is_found_in_its_layer(
    spoil: Callable[[keras.Model], None], layer: str, words: str, tmp_path: Path
) -> None:
    module, model = ported(tmp_path)
    spoil(model)
    found = shapeinspect.diverge(module, model)
    assert not found.same
    assert [place.step.a for place in found.found] == [layer]
    assert any(words in suspect.text for suspect in found.found[0].suspects), str(found)


def test_an_epsilon_left_at_its_default_is_changed_to_see_that_it_is_the_reason(tmp_path: Path) -> None:
    module, model = ported(tmp_path)
    module.norm.eps = 1e-5
    found = shapeinspect.diverge(module, model)
    (place,) = found.found
    assert place.step.a == "norm"
    (suspect,) = place.suspects
    assert (suspect.text, suspect.tried) == ("eps is 1e-05 in A, 0.001 in B", "with eps 1e-05 in B")
    assert suspect.helps
    assert suspect.next is None
    assert module.norm.eps == 1e-5, "what was tried is put back"
    assert model.get_layer("norm").epsilon == 1e-3


def test_two_reasons_are_found_one_after_the_other(tmp_path: Path) -> None:
    module, model = ported(tmp_path)
    module.norm.eps = 1e-5
    _only_transposed(model)
    found = shapeinspect.diverge(module, model)
    assert [place.step.a for place in found.found] == ["norm", "hidden"]
    assert found.found[0].suspects[0].helps
    assert found.found[0].suspects[0].next == "hidden"


def test_an_activation_that_cuts_off_is_named(tmp_path: Path) -> None:
    module, model = ported(tmp_path, factor=1000.0)
    module.six = True
    found = shapeinspect.diverge(module, model)
    first = found.found[0]
    assert (first.step.a, first.step.b) == ("relu6", "second"), (
        "the function, and the layer that has it inside"
    )
    assert first.seen is not None
    assert first.seen.a == "hidden", "the layer behind the activation is the first layer that returns less"
    assert first.suspects[0].text == "function is relu6 in A, relu in B"
    assert first.suspects[0].helps


def test_the_model_is_as_it_was_afterwards(tmp_path: Path) -> None:
    module, model = ported(tmp_path)
    module.train()
    state = torch.get_rng_state()
    shapeinspect.diverge(module, model)
    assert module.training
    assert module.norm.training
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(part._forward_hooks for part in module.modules())
    assert not any("call" in vars(layer) for layer in model.layers)
