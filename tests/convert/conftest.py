"""The same networks in torch and Keras, and the way to load written weights into each."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file


class Cnn(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 5, (3, 2))
        self.norm = torch.nn.BatchNorm2d(5, eps=1e-3, momentum=0.01)
        self.deep = torch.nn.Conv2d(5, 10, 3, groups=5)
        self.hidden = torch.nn.Linear(10 * 4 * 6, 17)
        self.out = torch.nn.Linear(17, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.out(torch.relu(self.hidden(torch.relu(self.deep(x)).flatten(1))))


def keras_cnn() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((8, 9, 3))
    x = layers.Conv2D(5, (3, 2), name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.ReLU()(layers.Conv2D(10, 3, groups=5, name="deep")(x))
    x = layers.ReLU()(layers.Dense(17, name="hidden")(layers.Flatten()(x)))
    return keras.Model(inputs, layers.Dense(7, name="out")(x))


class Tagger(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(29, 5)
        self.both = torch.nn.LSTM(5, 7, batch_first=True, bidirectional=True)
        self.gate = torch.nn.GRU(14, 11, batch_first=True)
        self.tags = torch.nn.Linear(11, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tags(self.gate(self.both(self.words(x))[0])[0])


def keras_tagger() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((9,), dtype="int32")
    x = layers.Embedding(29, 5, name="words")(x)
    x = layers.Bidirectional(layers.LSTM(7, return_sequences=True), name="both")(x)
    x = layers.GRU(11, return_sequences=True, name="gate")(x)
    return keras.Model(inputs, layers.Dense(3, name="tags")(x))


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm1 = torch.nn.LayerNorm(12, eps=1e-3)
        self.up = torch.nn.Linear(12, 17)
        self.down = torch.nn.Linear(17, 12)
        self.norm2 = torch.nn.LayerNorm(12, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.attention(x, x, x, need_weights=False)[0])
        return self.norm2(x + self.down(torch.relu(self.up(x))))


def keras_block() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((5, 12))
    x = layers.LayerNormalization(name="norm1")(x + layers.MultiHeadAttention(3, 4, name="attention")(x, x))
    y = layers.Dense(12, name="down")(layers.ReLU()(layers.Dense(17, name="up")(x)))
    return keras.Model(inputs, layers.LayerNormalization(name="norm2")(x + y))


NETWORKS: dict[str, tuple[Any, Any]] = {
    "cnn": (Cnn, keras_cnn),
    "tagger": (Tagger, keras_tagger),
    "block": (Block, keras_block),
}


def random_torch(name: str) -> torch.nn.Module:
    torch.manual_seed(7)
    module: torch.nn.Module = NETWORKS[name][0]().eval()
    for key, tensor in module.state_dict().items():
        if tensor.dtype.is_floating_point:
            tensor.copy_(torch.rand_like(tensor) * 0.5 + (0.2 if "var" in key else -0.1))
    return module


def random_keras(name: str) -> keras.Model:
    model = NETWORKS[name][1]()
    rng = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(rng.random(weight.shape) * 0.5 + (0.2 if "variance" in weight.path else -0.1))
    return model


def load_torch(module: torch.nn.Module, path: str) -> None:
    """Load by the names of the state dict; what a file without versions may lack is torch's own to fill."""
    tensors = {name: torch.from_numpy(array.copy()) for name, array in load_file(path).items()}
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert not [name for name in missing if "num_batches_tracked" not in name]


def load_keras(model: keras.Model, path: str) -> None:
    """Assign by the layer's name and the role, as the file spells them."""
    tensors = load_file(path)
    for layer in model.layers:
        for weight in layer.weights:
            inner = [
                part for part in weight.path.split("/") if part not in (layer.name, "lstm_cell", "gru_cell")
            ]
            weight.assign(tensors.pop(_name(layer.name, inner)))
    assert not tensors


def _name(layer: str, inner: list[str]) -> str:
    # both/forward_lstm_7/kernel -> both/forward/kernel; Keras counts the copies that it makes.
    parts = [part.split("_lstm")[0] if part.startswith(("forward_", "backward_")) else part for part in inner]
    return "/".join([layer, *parts])


def example(name: str) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {"cnn": (2, 3, 8, 9), "tagger": (2, 9), "block": (2, 5, 12)}
    if name == "tagger":
        return rng.integers(0, 29, shapes[name])
    return rng.random(shapes[name], np.float32)


def run_torch(module: torch.nn.Module, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        return module(torch.from_numpy(x)).numpy()


def run_keras(model: keras.Model, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(model(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x))


@pytest.fixture
def nets() -> Any:
    """Everything in this file, for the tests."""
    import types

    return types.SimpleNamespace(**globals())
