"""Weights written as another model stores them, loaded by the script written with them: one output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import shapeinspect
from shapeinspect.convert.written import Written
from shapeinspect.errors import UsageError

from .like_networks import NETWORKS

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, Any]


def made(name: str) -> tuple[torch.nn.Module, keras.Model, Array]:
    """Return both models with weights that differ, and an input with the channels first."""
    maker, keras_maker, shape = NETWORKS[name]
    torch.manual_seed(5)
    module = maker().eval()
    for key, tensor in module.state_dict().items():
        if tensor.dtype.is_floating_point:
            tensor.copy_(torch.rand_like(tensor) * 0.5 + (0.3 if "var" in key else -0.15))
    model = keras_maker()
    rng = np.random.default_rng(9)
    for weight in model.weights:
        weight.assign(rng.random(weight.shape) * 0.5 + (0.3 if "variance" in weight.path else -0.15))
    return module, model, np.random.default_rng(3).random(shape, np.float32)


def of_torch(module: torch.nn.Module, x: Array) -> Array:
    with torch.no_grad():
        y: Array = module(torch.from_numpy(x)).numpy()
    return y


def of_keras(name: str, model: keras.Model, x: Array) -> Array:
    """Run a Keras model on an input whose channels are last, unless it has time and features."""
    return np.asarray(model(x if name == "stack" else np.moveaxis(x, 1, -1)))


def loaded(written: Written, model: Any) -> Any:
    """Run the script as a user would."""
    space: dict[str, Any] = {"__name__": "load_weights"}
    assert written.script is not None
    exec(compile(written.script, "load.py", "exec"), space)  # the script that is tested
    return space["load"](model)


def channels_first(y: Array) -> Array:
    return np.moveaxis(y, -1, 1) if y.ndim == 4 else y


def close(actual: Array, wanted: Array) -> None:
    assert actual.shape == wanted.shape
    assert np.abs(actual - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("name", list(NETWORKS))
def test_from_keras_into_torch(name: str, tmp_path: Path) -> None:
    module, model, x = made(name)
    wanted = channels_first(of_keras(name, model, x))
    assert np.abs(of_torch(module, x) - wanted).max() > 1e-2
    written = shapeinspect.normalize(
        model, tmp_path / "w.safetensors", like=module, input_like=x.shape, script=True
    )
    assert (written.left, written.unused) == ({}, {})
    close(of_torch(loaded(written, module), x), wanted)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_from_torch_into_keras(name: str, tmp_path: Path) -> None:
    module, model, x = made(name)
    wanted = of_torch(module, x)
    written = shapeinspect.normalize(
        module, tmp_path / "w.safetensors", like=model, input=x.shape, script=True
    )
    assert (written.left, written.unused) == ({}, {})
    close(channels_first(of_keras(name, loaded(written, model), x)), wanted)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_from_files_into_a_model_made_anew(name: str, tmp_path: Path) -> None:
    """A Keras archive and a state dict as sources; the models that are loaded into are other objects."""
    module, model, x = made(name)
    model.save(tmp_path / "m.keras")
    written = shapeinspect.normalize(
        tmp_path / "m.keras", tmp_path / "w.safetensors", like=module, input_like=x.shape, script=True
    )
    other = NETWORKS[name][0]().eval()
    close(of_torch(loaded(written, other), x), channels_first(of_keras(name, model, x)))
    torch.save(module.state_dict(), tmp_path / "m.pt")
    anew = NETWORKS[name][1]()
    written = shapeinspect.normalize(tmp_path / "m.pt", tmp_path / "w.safetensors", like=model, script=True)
    for layer in anew.layers:
        if hasattr(layer, "epsilon") and name != "folded":  # a state dict does not record it, which is said
            assert any(
                "A records no settings: B keeps its own, such as eps" in note for note in written.notes
            )
            layer.epsilon = 1e-5
    close(channels_first(of_keras(name, loaded(written, anew), x)), of_torch(module, x))


def test_without_a_graph_a_flatten_stops_everything(tmp_path: Path) -> None:
    """The Keras model of several inputs gives no input for the live module: its flatten stays unknown."""
    module, model, _ = made("folded")
    report = shapeinspect.inspect(module)
    with pytest.raises(UsageError) as caught:
        shapeinspect.normalize(model, tmp_path / "w.safetensors", like=report)
    assert "the order of a flattened image is not known" in str(caught.value)
    assert "--input-like" in str(caught.value)
    assert not (tmp_path / "w.safetensors").exists()


def test_a_live_module_is_run_with_the_other_models_input(tmp_path: Path) -> None:
    module, model, x = made("folded")
    written = shapeinspect.normalize(model, tmp_path / "w.safetensors", like=module, script=True)
    close(of_torch(loaded(written, module), x), of_keras("folded", model, x))


class Tied(torch.nn.Module):
    """A table whose transpose is the output layer; a constant that no other framework has."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(13, 6)
        self.mid = torch.nn.Linear(6, 6)
        self.out = torch.nn.Linear(6, 13, bias=False)
        self.out.weight = self.words.weight
        self.register_buffer("positions", torch.arange(7.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.mid(self.words(x))))


def test_tied_weights_are_written_once_and_what_stays_is_listed(tmp_path: Path) -> None:
    source, target = Tied().eval(), Tied().eval()
    x = torch.tensor([[3, 11, 5]])
    written = shapeinspect.normalize(
        shapeinspect.inspect(source, x),
        tmp_path / "w.safetensors",
        like=shapeinspect.inspect(target, x),
        script=True,
    )
    assert set(written.tensors) & {"words.weight", "out.weight"} == {"words.weight"}
    moved = loaded(written, target)
    assert torch.equal(moved(x), source(x))
    assert moved.out.weight is moved.words.weight


def test_what_has_no_partner_is_listed_and_strict_refuses(tmp_path: Path) -> None:
    source = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    target = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Linear(4, 3), torch.nn.Linear(3, 6))
    written = shapeinspect.normalize(source, tmp_path / "w.safetensors", like=target, script=True)
    assert dict(written.left) == {"2.weight": "(2, 3) in A, (6, 3) in B", "2.bias": "(2,) in A, (6,) in B"}
    assert set(written.unused) == {"2.weight", "2.bias"}
    kept = target[2].weight.clone()
    loaded(written, target)
    assert torch.equal(target[2].weight, kept)
    assert torch.equal(target[1].weight, source[1].weight)
    (tmp_path / "w.safetensors").unlink()
    with pytest.raises(UsageError) as caught:
        shapeinspect.normalize(source, tmp_path / "w.safetensors", like=target, strict=True)
    assert "2.weight: (2, 3) in A, (6, 3) in B" in str(caught.value)
    assert not (tmp_path / "w.safetensors").exists()


def test_no_name_gets_out_of_its_text_in_the_script(tmp_path: Path) -> None:
    """The file and the layers are named by whoever wrote them: the script holds them as texts alone."""
    odd = '"""\nraise SystemExit\n#'
    source = torch.nn.Module()
    target = torch.nn.Module()
    for module in (source, target):
        module.add_module(odd, torch.nn.BatchNorm1d(3))
    target.get_submodule(odd).eps = 0.25
    target.add_module("more\nraise", torch.nn.Linear(5, 4))
    folder = tmp_path / '"""\nassert False\n#'
    folder.mkdir()
    written = shapeinspect.normalize(source, folder / "w.safetensors", like=target, script=True)
    moved = loaded(written, target)
    assert moved.get_submodule(odd).eps == 1e-5
    assert torch.equal(moved.get_submodule(odd).weight, source.get_submodule(odd).weight)


@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
def test_a_bias_moves_into_a_batch_norm_of_any_kind(center: bool, scale: bool, tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    x = inputs = keras.Input((7, 9, 3))
    x = layers.Conv2D(8, 3, use_bias=False, name="first")(x)
    x = layers.BatchNormalization(center=center, scale=scale, name="norm")(x)
    model = keras.Model(inputs, layers.Conv2D(5, (2, 3), name="second")(layers.ReLU()(x)))
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 5, (2, 3))
    ).eval()
    given = np.random.default_rng(3).random((2, 3, 7, 9), np.float32)
    written = shapeinspect.normalize(
        module, tmp_path / "w.safetensors", like=model, input=given.shape, script=True
    )
    assert (written.left, written.unused) == ({}, {})
    assert any(
        'the batch norm "norm" of B is folded into the layer before in A' in note for note in written.notes
    )
    close(np.moveaxis(of_keras("", loaded(written, model), given), -1, 1), of_torch(module, given))


def test_a_flat_list_is_moved_in_the_order_of_its_framework(tmp_path: Path) -> None:
    module, model, x = made("stack")
    np.savez(tmp_path / "list.npz", *model.get_weights())
    written = shapeinspect.normalize(
        tmp_path / "list.npz", tmp_path / "w.safetensors", like=module, script=True
    )
    assert (written.left, written.unused) == ({}, {})
    close(of_torch(loaded(written, module), x), of_keras("stack", model, x))
    assert any("in the order in which keras lists them" in note for note in written.notes)


def test_numbers_that_the_targets_dtype_cannot_hold_are_refused(tmp_path: Path) -> None:
    source, target = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2).half()
    written = shapeinspect.normalize(source, tmp_path / "w.safetensors", like=target, script=True)
    assert loaded(written, target).weight.dtype == torch.float16
    source.weight.data[1, 2] = 1e6
    (tmp_path / "w.safetensors").unlink()
    with pytest.raises(UsageError) as caught:
        shapeinspect.normalize(source, tmp_path / "w.safetensors", like=target)
    assert "at most 65504, for float16" in str(caught.value)
    assert "1e+06" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_padding_that_differs_at_both_ends_is_set_by_the_script(tmp_path: Path) -> None:
    """Keras pads an even length by 0 before and 1 after where it strides; torch pads by 1 at both ends."""
    import keras

    layers = keras.layers
    x = inputs = keras.Input((8, 6, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(x)
    model = keras.Model(inputs, layers.MaxPooling2D(3, strides=1, padding="same", name="pool")(x))
    module = torch.nn.Sequential()
    module.add_module("conv", torch.nn.Conv2d(3, 4, 3, stride=2, padding=1))
    module.add_module("pool", torch.nn.MaxPool2d(3, stride=1, padding=1))
    given = np.random.default_rng(4).standard_normal((2, 3, 8, 6)).astype(np.float32)
    written = shapeinspect.normalize(model, tmp_path / "w.safetensors", like=module, script=True)
    moved = loaded(written, module)
    close(of_torch(moved, given), np.moveaxis(of_keras("", model, given), -1, 1))
    assert moved.conv.padding == (0, 0)
